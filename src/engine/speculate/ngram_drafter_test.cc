#include "engine/speculate/ngram_drafter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine/limits.h"

namespace plinth::engine {
namespace {

using Tokens = std::vector<std::int32_t>;

Draft ask(Drafter& drafter, const Tokens& tokens, std::int32_t most = 4,
          std::uint64_t sequence = 1) {
  DraftQuery query{sequence, tokens, most, {}};
  drafter.propose({&query, 1});
  return query.draft;
}

TEST(NgramDrafter, SaysWhatFollowedTheLatestEqualTokens) {
  const auto drafter = make_ngram_drafter();
  EXPECT_TRUE(ask(*drafter, {1}).tokens.empty());
  EXPECT_TRUE(ask(*drafter, {1, 2, 3, 4, 5}).tokens.empty());
  const auto pair = ask(*drafter, {1, 2, 3, 4, 5, 9, 2, 3});
  EXPECT_EQ(pair.tokens, (Tokens{4, 5, 9, 2}));
  EXPECT_EQ(pair.confidence, 0);
  const auto three = ask(*drafter, {1, 2, 3, 4, 5, 9, 2, 3, 4}, 2);
  EXPECT_EQ(three.tokens, (Tokens{5, 9}));
  EXPECT_EQ(three.confidence, 1);
  EXPECT_EQ(ask(*drafter, {1, 2, 3, 4, 5, 9, 2, 3, 4, 5}).confidence, 2);
  EXPECT_EQ(ask(*drafter, {1, 2, 3, 4, 5, 9, 2, 3, 4, 5, 6, 2, 3, 4}, 1).tokens, (Tokens{5}));
}

TEST(NgramDrafter, TheLongerMatchCountsBeforeTheLater) {
  const auto drafter = make_ngram_drafter();
  EXPECT_EQ(ask(*drafter, {1, 2, 3, 50, 7, 2, 3, 60, 1, 2, 3}, 1).tokens, (Tokens{50}));
  EXPECT_EQ(ask(*drafter, {7, 2, 3, 50, 8, 2, 3, 60, 1, 2, 3}, 1, 2).tokens, (Tokens{60}));
}

TEST(NgramDrafter, AShortPeriodGoesOnIntoItsOwnDraft) {
  const auto drafter = make_ngram_drafter();
  const auto draft = ask(*drafter, {5, 6, 7, 5, 6, 7, 5, 6}, 7);
  EXPECT_EQ(draft.tokens, (Tokens{7, 5, 6, 7, 5, 6, 7}));
  Tokens longer;
  for (int i = 0; i < 20; ++i) longer.push_back(i % 2);
  EXPECT_EQ(ask(*drafter, longer, 4, 2).confidence, kConfidences - 1);
}

TEST(NgramDrafter, KnowsSequencesApartAndForgetsThem) {
  const auto drafter = make_ngram_drafter();
  EXPECT_FALSE(ask(*drafter, {1, 2, 3, 1, 2}, 1, 1).tokens.empty());
  EXPECT_TRUE(ask(*drafter, {4, 4, 1, 2}, 1, 2).tokens.empty());
  drafter->forget(1);
  drafter->forget(77);
  EXPECT_EQ(ask(*drafter, {7, 8, 9, 7, 8}, 1, 1).tokens, (Tokens{9})) << "it begins anew";
}

// Against the definition, over texts that overfill its memory: what it says is always such a place.
TEST(NgramDrafter, EveryDraftFollowsAnEqualRun) {
  std::mt19937 random(3);
  const auto drafter = make_ngram_drafter();
  Tokens tokens;
  int drafts = 0;
  for (int i = 0; i < 3 * kNgramSlots; ++i) {
    tokens.push_back(static_cast<std::int32_t>(random() % 90));
    if (i % 7 != 0) continue;
    const auto draft = ask(*drafter, tokens, 3);
    if (draft.tokens.empty()) continue;
    ++drafts;
    const auto n = static_cast<std::ptrdiff_t>(draft.confidence + 2);
    Tokens wanted(tokens.end() - n, tokens.end());
    wanted.insert(wanted.end(), draft.tokens.begin(), draft.tokens.end());
    auto text = tokens;
    text.insert(text.end(), draft.tokens.begin(), draft.tokens.end());
    text.pop_back();  // the draft itself is no such place
    EXPECT_NE(std::search(text.begin(), text.end(), wanted.begin(), wanted.end()), text.end());
  }
  EXPECT_GT(drafts, 100);
}

}  // namespace
}  // namespace plinth::engine
