#include "model/chat_template.h"

#include <gtest/gtest.h>

#include "base/file.h"

namespace plinth::model {
namespace {

TEST(ChatTemplate, RendersAsJinja2Does) {
  const auto file = base::read_file(
      std::string(PLINTH_SOURCE_DIR) + "/tests/golden/templates/cases.json", 8 << 20);
  ASSERT_TRUE(file.ok());
  const auto cases = base::parse_json(*file);
  ASSERT_TRUE(cases.ok()) << cases.status();
  EXPECT_GT(cases->as_array().size(), 80u);
  for (const auto& c : cases->as_array()) {
    const std::string source(c.at("source").as_string());
    const auto parsed = ChatTemplate::parse(source);
    ASSERT_TRUE(parsed.ok()) << parsed.status() << "\n" << source;
    const auto text = parsed->render(c.at("variables").as_object(), 0);
    if (const auto* error = c.as_object().if_contains("error")) {
      EXPECT_EQ(base::message(text.status()), std::string_view(error->as_string()));
      continue;
    }
    ASSERT_TRUE(text.ok()) << text.status() << "\n" << source;
    EXPECT_EQ(*text, std::string(c.at("expected").as_string())) << c.at("name").as_string() << "\n"
                                                                << source;
  }
}

absl::Status outcome(const std::string& source) {
  TemplateLimits limits;
  limits.steps_max = 200'000;
  limits.output_bytes_max = 1 << 20;
  const auto parsed = ChatTemplate::parse(source, limits);
  if (!parsed.ok()) return parsed.status();
  return parsed->render({}, 0).status();
}

TEST(ChatTemplate, HostileTemplatesEndInAnError) {
  const auto exhausted = absl::StatusCode::kResourceExhausted;
  EXPECT_EQ(
      outcome("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")
          .code(),
      exhausted);
  EXPECT_EQ(outcome("{% for a in range(99999999) %}{% endfor %}").code(), exhausted);
  EXPECT_EQ(outcome("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}").code(), exhausted);
  EXPECT_EQ(outcome("{% set ns = namespace(x='xxxxxxxx') %}{% for a in range(90) %}{% set ns.x = "
                    "ns.x ~ ns.x %}{% endfor %}")
                .code(),
            exhausted);
  EXPECT_EQ(outcome("{{ 'x' * 99999999 }}").code(), exhausted);
  EXPECT_FALSE(outcome("{{ " + std::string(5000, '(')).ok());
  EXPECT_FALSE(outcome("{{ " + std::string(5000, '[') + " }}").ok());
  std::string nested;
  for (int i = 0; i < 5000; ++i) nested += "{% if true %}";
  EXPECT_FALSE(outcome(nested).ok());
}

TEST(ChatTemplate, ErrorsNameTheLine) {
  for (const char* source :
       {"a\n{% if %}", "a\n{{ x", "a\n{% for x %}{% endfor %}", "a\n{{ 1 | nosuch }}",
        "a\n{{ missing.attribute }}", "a\n{{ 1 / 0 }}", "a\n{% bogus %}", "a\n{{ 'x }}",
        "a\n{{ 9223372036854775807999 }}", "a\n{{ missing() }}"}) {
    const auto status = outcome(source);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << source;
    EXPECT_NE(base::message(status).find("[template]"), std::string_view::npos) << status;
  }
  EXPECT_NE(base::message(outcome("a\n{% bogus %}")).find("line 2"), std::string_view::npos);
}

TEST(ChatTemplate, TheClockIsAParameter) {
  const auto parsed = ChatTemplate::parse("{{ strftime_now('%d %b %Y') }}");
  EXPECT_EQ(*parsed->render({}, 1'700'000'000), "14 Nov 2023");
}

}  // namespace
}  // namespace plinth::model
