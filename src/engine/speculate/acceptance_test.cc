#include "engine/speculate/acceptance.h"

#include <gtest/gtest.h>

namespace plinth::engine {
namespace {

TEST(Acceptance, BeginsWithAGuessThatGrowsWithTheConfidence) {
  const Acceptance fresh;
  for (int c = 1; c < kConfidences; ++c) EXPECT_GT(fresh.chance(c), fresh.chance(c - 1));
  EXPECT_GT(fresh.chance(0), 0);
  EXPECT_LT(fresh.chance(kConfidences - 1), 1);
}

TEST(Acceptance, LearnsEachConfidenceByItself) {
  Acceptance acceptance;
  const double untouched = acceptance.chance(2);
  for (int i = 0; i < 100; ++i) {
    acceptance.observe(0, true);
    acceptance.observe(3, false);
  }
  EXPECT_GT(acceptance.chance(0), 0.85);
  EXPECT_LT(acceptance.chance(3), 0.15);
  EXPECT_EQ(acceptance.chance(2), untouched);
}

TEST(Acceptance, FollowsAChangeWithinSomeTokens) {
  Acceptance acceptance;
  for (int i = 0; i < 1000; ++i) acceptance.observe(1, true);
  for (int i = 0; i < 30; ++i) acceptance.observe(1, false);
  EXPECT_LT(acceptance.chance(1), 0.3);
}

TEST(Acceptance, IsTheRateInTheMean) {
  Acceptance acceptance;
  double sum = 0;
  for (int i = 0; i < 1000; ++i) {
    acceptance.observe(2, i % 4 == 0);
    if (i >= 200) sum += acceptance.chance(2);
  }
  EXPECT_NEAR(sum / 800, 0.28, 0.03);
}

}  // namespace
}  // namespace plinth::engine
