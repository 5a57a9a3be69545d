#include "api/openai/graders/formula.h"

#include <gtest/gtest.h>

#include "api/openai/graders/grader_limits.h"

namespace plinth::api {
namespace {

double value(const std::string& text, const std::map<std::string, double>& values = {}) {
  const auto formula = Formula::parse(text);
  if (!formula.ok()) ADD_FAILURE() << text << ": " << formula.status();
  const auto result = formula.ok() ? formula->value(values) : formula.status();
  EXPECT_TRUE(result.ok()) << text << ": " << result.status();
  return result.value_or(-999);
}

TEST(Formula, BindsAsArithmeticDoes) {
  EXPECT_EQ(value("1 + 2 * 3"), 7);
  EXPECT_EQ(value("(1+2)*3"), 9);
  EXPECT_EQ(value("8 - 4 - 2"), 2);
  EXPECT_EQ(value("8 / 4 / 2"), 1);
  EXPECT_EQ(value("2 ^ 3 ^ 2"), 512);
  EXPECT_EQ(value("-2 ^ 2"), -4);
  EXPECT_EQ(value("2 ^ -1"), 0.5);
  EXPECT_EQ(value("2 * -3 + --1"), -5);
}

TEST(Formula, KnowsNamesAndFunctions) {
  EXPECT_EQ(value("0.5 * a + 0.5*b_2", {{"a", 1}, {"b_2", 0}}), 0.5);
  EXPECT_EQ(value("max(a, 2, min(9, 5))", {{"a", 1}}), 5);
  EXPECT_EQ(value("floor(1.5) + ceil(1.5) + abs(-1) + sqrt(4) + exp(0) + log(1)"), 7);
  EXPECT_EQ(Formula::parse("min(a, b) + a * min")->names(),
            (std::set<std::string>{"a", "b", "min"}));
}

TEST(Formula, WhatIsWrongIsToldByItsPlace) {
  for (const auto* text : {"", "1 +", "(1", "1)", "a b", "1 $ 2", "min()", "sqrt(1, 2)", "sin(1)",
                           "1..2", "a.b", "\"x\"", "^2"})
    EXPECT_FALSE(Formula::parse(text).ok()) << text;
  EXPECT_EQ(base::message(Formula::parse("1 + * 2").status()),
            "at character 5: this is no number and no name");
  EXPECT_FALSE(Formula::parse(std::string(kFormulaBytesMax, '(')).ok());
  EXPECT_FALSE(Formula::parse(std::string(kFormulaDepthMax, '-') + "1").ok());
  EXPECT_FALSE(Formula::parse(std::string(kFormulaBytesMax + 1, '1')).ok());
}

TEST(Formula, WhatIsNoNumberIsAnError) {
  EXPECT_FALSE(Formula::parse("1 / a")->value({{"a", 0}}).ok());
  EXPECT_FALSE(Formula::parse("log(0 - 1)")->value({}).ok());
  EXPECT_FALSE(Formula::parse("a")->value({{"b", 1}}).ok());
}

}  // namespace
}  // namespace plinth::api
