#include "engine/run/mixture_of_experts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace plinth::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pair;

std::vector<std::pair<int, float>> choose(const model::ExpertSpec& spec, const float* logits) {
  std::vector<ChosenExpert> chosen = {{7, 7}};  // of an earlier token
  choose_experts(spec, logits, chosen);
  std::vector<std::pair<int, float>> pairs;
  pairs.reserve(chosen.size());
  for (const auto& expert : chosen) pairs.emplace_back(expert.index, expert.weight);
  return pairs;
}

TEST(ChooseExperts, TakesTheMostProbableInTheOrderOfTheirIndices) {
  const model::ExpertSpec spec{4, 2, 8, false};
  float logits[] = {std::log(0.4f), std::log(0.1f), std::log(0.2f), std::log(0.3f)};
  EXPECT_THAT(choose(spec, logits),
              ElementsAre(Pair(0, FloatNear(0.4f, 1e-6f)), Pair(3, FloatNear(0.3f, 1e-6f))));
}

TEST(ChooseExperts, NormalisesOverTheUsedOnesWhereAsked) {
  const model::ExpertSpec spec{4, 2, 8, true};
  float logits[] = {std::log(0.4f), std::log(0.1f), std::log(0.2f), std::log(0.3f)};
  EXPECT_THAT(choose(spec, logits), ElementsAre(Pair(0, FloatNear(0.4f / 0.7f, 1e-6f)),
                                                Pair(3, FloatNear(0.3f / 0.7f, 1e-6f))));
}

TEST(ChooseExperts, GivesTiesToTheLowerIndex) {
  const model::ExpertSpec spec{5, 2, 8, true};
  float logits[] = {-1, 3, 3, 3, 3};
  EXPECT_THAT(choose(spec, logits),
              ElementsAre(Pair(1, FloatNear(0.5f, 1e-6f)), Pair(2, FloatNear(0.5f, 1e-6f))));
}

TEST(ChooseExperts, LargeLogitsDoNotOverflow) {
  const model::ExpertSpec spec{2, 1, 8, false};
  float logits[] = {3000, -3000};
  EXPECT_THAT(choose(spec, logits), ElementsAre(Pair(0, FloatNear(1, 1e-6f))));
}

}  // namespace
}  // namespace plinth::engine
