#include "engine/speculate/plan_drafts.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "engine/limits.h"

namespace plinth::engine {
namespace {

using Counts = std::vector<std::int32_t>;

Counts plan(std::vector<DraftCandidate> candidates, std::int32_t decodes, double share) {
  plan_drafts(candidates, decodes, share);
  Counts counts;
  for (const auto& candidate : candidates) counts.push_back(candidate.planned);
  return counts;
}

// Tokens over time, in tokens of a step of one.
double speed(double chance, std::int32_t drafts, double share) {
  double tokens = 1;
  for (int i = 1; i <= drafts; ++i) tokens += std::pow(chance, i);
  return tokens / (1 + share * drafts);
}

TEST(PlanDrafts, NothingIsDraftedWhereItDoesNotPay) {
  EXPECT_EQ(plan({{0.1, 8}}, 1, 0.2), (Counts{0}));
  EXPECT_EQ(plan({{0.9, 8}}, 1, 0.9), (Counts{0}));
  EXPECT_EQ(plan({{0.9, 0}}, 1, 0.2), (Counts{0}));
  EXPECT_EQ(plan({}, 3, 0.2), (Counts{}));
}

TEST(PlanDrafts, OneStreamDraftsUpToItsBestSpeed) {
  for (const double chance : {0.4, 0.6, 0.8, 0.95}) {
    for (const double share : {0.02, 0.1, 0.2, 0.4}) {
      const int count = plan({{chance, 16}}, 1, share)[0];
      int best = 0;
      for (int n = 1; n <= 16; ++n) {
        if (speed(chance, n, share) > speed(chance, best, share)) best = n;
      }
      EXPECT_LE(count, best) << chance << " " << share;
      EXPECT_GE(speed(chance, count, share), 0.95 * speed(chance, best, share));
    }
  }
}

TEST(PlanDrafts, TheMoreStreamsTheFewerDrafts) {
  int last = 100;
  for (const int streams : {1, 2, 4, 8, 16, 64, 256}) {
    const std::vector<DraftCandidate> candidates(static_cast<std::size_t>(streams), {0.85, 16});
    const auto counts = plan(candidates, streams, 0.2);
    EXPECT_LE(counts[0], last);
    last = counts[0];
  }
  EXPECT_EQ(last, 0);
}

TEST(PlanDrafts, TheLikelierComesFirst) {
  const auto counts = plan({{0.5, 16}, {0.95, 16}, {0.7, 3}}, 3, 0.1);
  EXPECT_GT(counts[1], counts[2]);
  EXPECT_GE(counts[2], counts[0]);
  EXPECT_LE(counts[2], 3);
}

TEST(PlanDrafts, AStepHasABound) {
  const auto counts = plan(std::vector<DraftCandidate>(30, {1.0, kDraftTokensMax}), 30, 0.01);
  EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), 0), kDraftStepTokensMax);
}

}  // namespace
}  // namespace plinth::engine
