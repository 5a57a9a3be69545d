#include "model/tokenize/bpe_merger.h"

#include <algorithm>

namespace plinth::model {

namespace {

constexpr auto kLater = [](const auto& a, const auto& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
};

}  // namespace

void BpeMerger::push_candidate(const Candidate& candidate) {
  queue_.push_back(candidate);
  std::push_heap(queue_.begin(), queue_.end(), kLater);
}

BpeMerger::Candidate BpeMerger::pop() {
  std::pop_heap(queue_.begin(), queue_.end(), kLater);
  const Candidate best = queue_.back();
  queue_.pop_back();
  return best;
}

}  // namespace plinth::model
