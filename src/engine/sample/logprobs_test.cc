#include "engine/sample/logprobs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "engine/sample/softmax.h"

namespace plinth::engine {
namespace {

TEST(Logprobs, AreOfTheUnmodifiedDistribution) {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.2f)};
  const auto logprobs = position_logprobs(logits, 1, 2);
  EXPECT_NEAR(logprobs.chosen.logprob, std::log(0.3), 1e-6);
  ASSERT_EQ(logprobs.top.size(), 2u);
  EXPECT_EQ(logprobs.top[0].token, 0);
  EXPECT_EQ(logprobs.top[1].token, 1);
  EXPECT_EQ(logprobs.top[1].logprob, logprobs.chosen.logprob);
}

TEST(Logprobs, TheBestComeSortedAndTiesByToken) {
  std::mt19937 random(3);
  std::vector<float> logits(5000);
  for (auto& l : logits) l = static_cast<float>(random() % 600) * 0.01f;
  std::vector<std::int32_t> order(logits.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int32_t>(i);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
  });
  const auto top = position_logprobs(logits, 0, 20).top;
  ASSERT_EQ(top.size(), 20u);
  for (std::size_t i = 0; i < top.size(); ++i) EXPECT_EQ(top[i].token, order[i]);
  EXPECT_TRUE(position_logprobs(logits, 0, 0).top.empty());
  EXPECT_EQ(position_logprobs(std::vector<float>{1, 2}, 0, 20).top.size(), 2u);
}

TEST(Logprobs, AreFiniteNumbersThatJsonCanCarry) {
  const std::vector<float> logits = {3e38f, -3e38f};
  EXPECT_EQ(position_logprobs(logits, 1, 0).chosen.logprob, -9999.0f);
  EXPECT_EQ(position_logprobs(logits, 0, 0).chosen.logprob, 0.0f);
}

TEST(Softmax, ExponentialsAreWithinTheirBound) {
  std::vector<float> row;
  for (int i = 0; i <= 8000; ++i) row.push_back(-0.01f * static_cast<float>(i));
  std::vector<float> out(row.size());
  const double sum = exponentials(row, 0.0f, 1.0f, out);
  double expected = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const double value = std::exp(static_cast<double>(row[i]));
    EXPECT_NEAR(out[i] / value, 1.0, 2e-7) << row[i];
    expected += value;
  }
  EXPECT_NEAR(sum / expected, 1.0, 1e-6);
  EXPECT_EQ(exponentials(row, 0.0f, 1.0f, {}), sum);
  EXPECT_EQ(exponentials(std::vector<float>{0, -81}, 0.0f, 1.0f, {}), 1.0);
}

TEST(Softmax, FindsTheFirstOfTheLargestAndWhatIsNotFinite) {
  std::vector<float> row(100, -5.0f);
  row[37] = row[90] = 2.0f;
  EXPECT_EQ(argmax(row), 37);
  EXPECT_EQ(largest(row), 2.0f);
  EXPECT_TRUE(all_finite(row));
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    for (const std::size_t at : {0u, 50u, 99u}) {
      auto broken = row;
      broken[at] = bad;
      EXPECT_FALSE(all_finite(broken)) << bad << " at " << at;
    }
  }
}

}  // namespace
}  // namespace plinth::engine
