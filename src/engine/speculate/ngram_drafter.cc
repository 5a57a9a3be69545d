#include "engine/speculate/ngram_drafter.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "engine/limits.h"

namespace plinth::engine {

namespace {

constexpr std::size_t kShortest = 2, kLongest = 4;
constexpr std::size_t kSure = 8;  // tokens that agree, for the best confidence

using Tokens = std::span<const std::int32_t>;

std::size_t slot_of(Tokens gram) {
  std::uint64_t hash = 0;
  for (const auto token : gram) {
    hash = (hash ^ static_cast<std::uint64_t>(token)) * 0x9E3779B97F4A7C15ull;
    hash ^= hash >> 32;
  }
  return static_cast<std::size_t>(hash % kNgramSlots);
}

// How many tokens before `end` equal the sequence's last ones, up to kSure.
std::size_t agreement(Tokens tokens, std::size_t end) {
  std::size_t count = 0;
  while (count < std::min(end, kSure) &&
         tokens[end - 1 - count] == tokens[tokens.size() - 1 - count])
    ++count;
  return count;
}

// Where in one sequence each short run of tokens last ended.
class NgramIndex {
 public:
  NgramIndex() {
    for (auto& table : ends_) table.resize(kNgramSlots, 0);
  }

  void propose(Tokens tokens, std::int32_t tokens_max, Draft& draft) {
    draft.tokens.clear();
    draft.confidence = 0;
    index(tokens);
    for (std::size_t n = std::min(kLongest, tokens.size()); n >= kShortest; --n) {
      const auto end = static_cast<std::size_t>(ends_[n - kShortest][slot_of(tokens.last(n))]);
      const auto agree = agreement(tokens, end);
      // Another run may have taken the slot.
      if (end == 0 || agree < n) continue;
      draft.confidence = agree >= kSure ? kConfidences - 1 : static_cast<int>(n - kShortest);
      // A text that repeats with a short period goes on into its own draft.
      for (std::size_t i = 0; i < static_cast<std::size_t>(tokens_max); ++i) {
        const auto at = end + i;
        draft.tokens.push_back(at < tokens.size() ? tokens[at] : draft.tokens[at - tokens.size()]);
      }
      return;
    }
  }

 private:
  // The run that ends with the last token is the one to be found: it is not known yet.
  void index(Tokens tokens) {
    for (; indexed_ < tokens.size(); ++indexed_) {
      for (std::size_t n = kShortest; n <= std::min(kLongest, indexed_); ++n) {
        ends_[n - kShortest][slot_of(tokens.subspan(indexed_ - n, n))] =
            static_cast<std::int32_t>(indexed_);
      }
    }
  }

  // By length and slot: the place after the run; 0 = none.
  std::array<std::vector<std::int32_t>, kLongest - kShortest + 1> ends_;
  std::size_t indexed_ = 1;  // runs that end before this place are known
};

static_assert(kLongest - kShortest == kConfidences - 2);

class NgramDrafter final : public Drafter {
 public:
  void propose(std::span<DraftQuery> queries) override {
    for (auto& query : queries) {
      indexes_[query.sequence].propose(query.tokens, query.tokens_max, query.draft);
    }
  }
  void forget(std::uint64_t sequence) override { indexes_.erase(sequence); }

 private:
  std::unordered_map<std::uint64_t, NgramIndex> indexes_;
};

}  // namespace

std::unique_ptr<Drafter> make_ngram_drafter() { return std::make_unique<NgramDrafter>(); }

}  // namespace plinth::engine
