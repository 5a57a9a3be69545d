#include "api/openai/graders/grader_template.h"

#include <gtest/gtest.h>

namespace plinth::api {
namespace {

GradedSample sample(const std::string& text = "said") {
  return {*base::parse_json(R"({"q": "two", "n": 2.5, "deep": {"list": ["a", {"b": true}]}})"),
          text};
}

TEST(GraderTemplate, VariablesStandForWhatIsGraded) {
  EXPECT_EQ(*sample().render("{{ item.q }}: {{sample.output_text}}!"), "two: said!");
  EXPECT_EQ(*sample().render("no variables { } }}"), "no variables { } }}");
  EXPECT_EQ(*sample().render("{{item.deep.list.0}} {{ item.deep.list.1.b }}"), "a true");
  EXPECT_EQ(*sample().render("{{ item.deep.list }}"), R"(["a",{"b":true}])");
  EXPECT_EQ(*sample(R"({"x": ["y"]})").render("{{ sample.output_json.x.0 }}"), "y");
}

TEST(GraderTemplate, WhatIsPutInIsNoTemplate) {
  EXPECT_EQ(*sample("{{ item.q }}").render("{{ sample.output_text }}"), "{{ item.q }}");
}

TEST(GraderTemplate, WhatThereIsNotIsTold) {
  for (const auto* text :
       {"{{ item.x }}", "{{ item.q.x }}", "{{ item.deep.list.2 }}", "{{ other }}",
        "{{ item.deep.list.-1 }}", "{{ itemq }}", "{{}}", "{{ item. }}"})
    EXPECT_TRUE(absl::IsNotFound(sample().render(text).status())) << text;
  EXPECT_TRUE(absl::IsDataLoss(sample().render("{{ sample.output_json.x }}").status()));
  EXPECT_TRUE(absl::IsNotFound(sample("{}").render("{{ sample.output_json.x }}").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(sample().render("{{ item.q").status()));
}

TEST(GraderTemplate, IsCheckedBeforeAnythingIsKnown) {
  EXPECT_TRUE(check_template("{{ item.x }} {{sample.output_json.y}}").ok());
  EXPECT_FALSE(check_template("{{ item.x").ok());
  EXPECT_FALSE(check_template("{{ items.x }}").ok());
}

}  // namespace
}  // namespace plinth::api
