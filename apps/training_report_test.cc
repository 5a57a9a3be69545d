#include "apps/training_report.h"

#include <gmock/gmock.h>

#include <cmath>

namespace plinth {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TrainingReport report() {
  TrainingReport made;
  made.title = "base <b>, tuned";
  made.base = "base \"b\"";
  made.ended = "2026-11-30 10:00 UTC";
  made.facts = {{"examples", "120"}, {"data", "a|b\n<script>.jsonl"}};
  made.how_to_use = {"plinth up --model <b>"};
  for (int i = 1; i <= 2000; ++i)
    made.steps.push_back({i, 3.0 / i, 1 - 1.0 / i, 1e-4, 0.5, i < 100 ? NAN : 900.0 + i});
  return made;
}

TEST(TrainingReport, ThePageHasItsCurvesAndNothingThatRuns) {
  const auto page = training_page(report());
  EXPECT_THAT(page, AllOf(HasSubstr("base &lt;b&gt;, tuned"), HasSubstr("120"),
                          HasSubstr("nats a token"), HasSubstr("tokens a second"),
                          HasSubstr("mean of 20"), HasSubstr("plinth up --model &lt;b&gt;")));
  EXPECT_THAT(page,
              AllOf(Not(HasSubstr("<script")), Not(HasSubstr("<?xml")), Not(HasSubstr("nan"))));
  std::size_t curves = 0;
  for (auto at = page.find("<svg"); at != std::string::npos; at = page.find("<svg", at + 1))
    ++curves;
  EXPECT_EQ(curves, 5u);
  EXPECT_LT(page.size(), 400'000u);
}

TEST(TrainingReport, ARunWithoutStepsHasNoCurves) {
  auto empty = report();
  empty.steps.clear();
  EXPECT_THAT(training_page(empty), Not(HasSubstr("<svg")));
}

TEST(TrainingReport, TheCardNamesItsBase) {
  const auto card = model_card(report());
  EXPECT_THAT(
      card,
      AllOf(HasSubstr("base_model: \"base \\\"b\\\"\"\n"), HasSubstr("| examples | 120 |"),
            HasSubstr("| data | a\\|b \\<script>.jsonl |"), HasSubstr("plinth up --model <b>\n")));
}

TEST(TrainingReport, StepsComeFromTheCsvOfAnEarlierPart) {
  const auto steps = steps_of_csv(
      "step,train_loss,train_mean_token_accuracy,learning_rate,gradient_norm\n"
      "1,2.5,0.25,1e-04,0.75\nbroken\n2,2.0,,1,1\n3,1.5,0.5,0.0002,0.5\n4,1");
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0].step, 1);
  EXPECT_EQ(steps[0].loss, 2.5);
  EXPECT_EQ(steps[1].learning_rate, 0.0002);
  EXPECT_EQ(steps[1].gradient_norm, 0.5);
  EXPECT_TRUE(std::isnan(steps[1].tokens_per_second));
}

}  // namespace
}  // namespace plinth
