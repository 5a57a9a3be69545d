#include "engine/speculate/step_cost.h"

#include <gtest/gtest.h>

namespace plinth::engine {
namespace {

using std::chrono::microseconds;

TEST(StepCost, BeginsWithAGuessAndKeepsItWhereTheClockStandsStill) {
  StepCost cost;
  const double guess = cost.token_share();
  EXPECT_GT(guess, 0);
  EXPECT_LT(guess, 1);
  for (int i = 0; i < 100; ++i) cost.observe(1 + i % 5, base::Duration(0));
  EXPECT_EQ(cost.token_share(), guess);
  for (int i = 0; i < 100; ++i) cost.observe(1, microseconds(5000));
  EXPECT_NEAR(cost.token_share(), guess, 1e-9) << "all steps had one token";
}

TEST(StepCost, FindsTheLineThroughSteps) {
  for (const int slope : {20, 300, 1000}) {
    StepCost cost;
    for (int i = 0; i < 300; ++i) {
      const int tokens = 1 + i % 9;
      cost.observe(tokens, microseconds(1000 + slope * (tokens - 1)));
    }
    EXPECT_NEAR(cost.token_share(), slope / 1000.0, 0.1 * slope / 1000.0);
  }
}

TEST(StepCost, AStepThatWasHeldUpChangesLittle) {
  StepCost cost;
  for (int i = 0; i < 300; ++i) {
    const int tokens = 1 + i % 9;
    cost.observe(tokens, microseconds(1000 + 100 * (tokens - 1)));
  }
  cost.observe(9, std::chrono::seconds(60));
  EXPECT_LT(cost.token_share(), 0.15);
  for (int i = 0; i < 300; ++i) cost.observe(1 + i % 9, microseconds(2000 + 200 * (i % 9)));
  EXPECT_NEAR(cost.token_share(), 0.1, 0.03);
}

TEST(StepCost, StaysWithinItsBoundsAndIgnoresPrompts) {
  StepCost free, dear;
  for (int i = 0; i < 300; ++i) {
    free.observe(1 + i % 9, microseconds(1000 - 50 * (i % 9)));
    dear.observe(1 + i % 9, microseconds(10 + 5000 * (i % 9)));
  }
  EXPECT_EQ(free.token_share(), 0.01);
  EXPECT_EQ(dear.token_share(), 1.0);
  StepCost cost;
  const double guess = cost.token_share();
  cost.observe(512, std::chrono::seconds(1));
  EXPECT_EQ(cost.token_share(), guess);
}

}  // namespace
}  // namespace plinth::engine
