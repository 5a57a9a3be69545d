// Merges neighbouring symbols, best first, with a queue over a linked list: O(n log n), so that a
// hostile piece of a megabyte costs what ordinary text of that size does.
// Sennrich et al., "Neural machine translation of rare words with subword units", 2016.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/tokenizer_spec.h"

namespace plinth::model {

struct Symbol {
  TokenId id;                // -1: no token
  std::uint32_t begin, end;  // bytes of the piece
  std::int32_t previous = -1, next = -1;
};

struct MergeResult {
  std::int32_t rank;  // lower first; among equals the leftmost
  TokenId id;
};

class BpeMerger {
 public:
  void clear() { symbols_.clear(); }
  void push(TokenId id, std::size_t begin, std::size_t end) {
    symbols_.push_back({id, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
  }
  bool empty() const { return symbols_.empty(); }
  Symbol& back() { return symbols_.back(); }

  // look_up(left, right) -> optional<MergeResult>. Then visit(symbol) for what is left, in order.
  template <typename LookUp, typename Visit>
  void run(const LookUp& look_up, const Visit& visit) {
    const auto count = static_cast<std::int32_t>(symbols_.size());
    for (std::int32_t i = 0; i < count; ++i) {
      at(i).previous = i - 1;
      at(i).next = i + 1 < count ? i + 1 : -1;
    }
    queue_.clear();
    for (std::int32_t i = 0; i + 1 < count; ++i) offer(i, look_up);
    while (!queue_.empty()) {
      const Candidate best = pop();
      ++steps_;
      Symbol& left = at(best.left);
      // Stale where a part has been merged since: symbols only grow, so their end says it.
      if (left.next < 0 || left.begin == left.end || at(left.next).begin != best.middle ||
          at(left.next).end != best.end) {
        continue;
      }
      Symbol& right = at(left.next);
      left.id = best.id;
      left.end = right.end;
      left.next = right.next;
      if (right.next >= 0) at(right.next).previous = best.left;
      right.begin = right.end;
      offer(left.previous, look_up);
      offer(best.left, look_up);
    }
    for (std::int32_t i = count > 0 ? 0 : -1; i >= 0; i = at(i).next) visit(at(i));
  }
  // Candidates taken from the queue so far: what a test holds to be linear.
  std::uint64_t steps() const { return steps_; }

 private:
  struct Candidate {
    std::int32_t rank, left;
    TokenId id;
    std::uint32_t middle, end;
  };
  Symbol& at(std::int32_t i) { return symbols_[static_cast<std::size_t>(i)]; }

  template <typename LookUp>
  void offer(std::int32_t left, const LookUp& look_up) {
    if (left < 0 || at(left).next < 0) return;
    const Symbol& right = at(at(left).next);
    const std::optional<MergeResult> found = look_up(at(left), right);
    if (found) push_candidate({found->rank, left, found->id, right.begin, right.end});
  }
  void push_candidate(const Candidate& candidate);
  Candidate pop();

  std::vector<Symbol> symbols_;
  std::vector<Candidate> queue_;  // a heap
  std::uint64_t steps_ = 0;
};

}  // namespace plinth::model
