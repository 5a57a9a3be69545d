#include "model/chat_template.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "tests/support/source_dir.h"

namespace plinth::model {
namespace {

base::json::value golden(const std::string& path) {
  const auto file = base::read_file(path, 8 << 20);
  EXPECT_TRUE(file.ok()) << file.status();
  auto cases = base::parse_json(*file);
  EXPECT_TRUE(cases.ok()) << cases.status();
  return *std::move(cases);
}

std::string templates_folder() { return source_dir() + "/tests/golden/templates/"; }

void expect_case(const std::string& source, const base::json::object& c) {
  const auto parsed = ChatTemplate::parse(source);
  ASSERT_TRUE(parsed.ok()) << parsed.status() << "\n" << source;
  const auto prompt = parsed->render(c.at("variables").as_object(), 0);
  if (const auto* error = c.if_contains("error")) {
    EXPECT_EQ(base::message(prompt.status()), std::string_view(error->as_string()))
        << c.at("name").as_string();
    return;
  }
  ASSERT_TRUE(prompt.ok()) << c.at("name").as_string() << " " << prompt.status() << "\n" << source;
  EXPECT_EQ(prompt->text, std::string(c.at("expected").as_string()))
      << c.at("name").as_string() << "\n"
      << source << "\n"
      << base::to_json(c.at("variables"));
}

// Templates by family, each with its cases: at least `count` families.
void expect_families(const std::string& path, std::size_t count) {
  const auto families = golden(path);
  EXPECT_GE(families.as_array().size(), count);
  for (const auto& family : families.as_array()) {
    for (const auto& c : family.at("cases").as_array()) {
      expect_case(std::string(family.at("source").as_string()), c.as_object());
    }
  }
}

TEST(ChatTemplate, RendersAsJinja2Does) { expect_families(templates_folder() + "cases.json", 70); }

TEST(ChatTemplate, RendersPublishedTemplatesAsJinja2Does) {
  expect_families(templates_folder() + "published.json", 9);
}

// Templates whose licences keep them out of the tree: a file in published.json's form.
TEST(ChatTemplate, RendersFurtherTemplatesAsJinja2Does) {
  const char* path = std::getenv("PLINTH_TEST_TEMPLATES");
  if (path == nullptr) GTEST_SKIP() << "PLINTH_TEST_TEMPLATES is not set";
  expect_families(path, 1);
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
  const std::string loop = "{% set ns = namespace(x=1) %}{% for a in range(9000) %}";
  for (const std::string& source : std::initializer_list<std::string>{
           "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
           "{% for a in range(99999999) %}{% endfor %}",
           "{% for a in range(0, 999999999999999999, 1) %}{% endfor %}",
           "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
           ("{% macro f() %}{{ caller() }}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}"
            "{% call f() %}{% endcall %}"),
           "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
           ("{% set ns = namespace(x='xxxxxxxx') %}{% for a in range(90) %}{% set ns.x = "
            "ns.x ~ ns.x %}{% endfor %}"),
           "{{ 'x' * 99999999 }}", "{{ 'a' * 10 ** 9 }}", "{{ [0] * 10 ** 9 }}",
           "{{ ('x' * 1000000).replace('x', 'y' * 1000) }}", "{{ 'x'.ljust(999999999) }}",
           "{{ ['y' * 1000] | map('replace', 'y', 'z' * 100000) | join }}",
           ("{% set ns = namespace(x=['abc']) %}{% for a in range(90) %}{% set ns.x = "
            "[ns.x, ns.x] %}{% endfor %}"),
           "{{ [('x' * 1000000)] * 1000 }}", loop + "{% macro f() %}{% endmacro %}{% endfor %}"}) {
    const auto status = outcome("\n" + source);
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << source << ": " << status;
    EXPECT_NE(base::message(status).find("[template] line 2: "), std::string_view::npos) << status;
  }
  // Lists within lists, functions that hold what holds them: refused before they grow.
  for (const char* body :
       {"{% set ns.x = [ns.x] %}", "{% set ns.x = (ns.x,) %}", "{% set ns.x = {'k': ns.x} %}",
        "{% set ns.x = ns.x | batch(1) | list if ns.x is iterable else [1] %}",
        "{% set ns.x = [[ns.x].index] %}"}) {
    EXPECT_EQ(outcome(loop + body + "{% endfor %}").code(), absl::StatusCode::kInvalidArgument)
        << body << ": " << outcome(loop + body + "{% endfor %}");
  }
  EXPECT_TRUE(
      outcome("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns.me.me is defined }}").ok());
}

TEST(ChatTemplate, LongAndDeepSourcesEndInAnError) {
  EXPECT_FALSE(outcome("{{ " + std::string(5000, '(')).ok());
  EXPECT_FALSE(outcome("{{ " + std::string(5000, '[') + " }}").ok());
  EXPECT_FALSE(outcome("{{ " + std::string(5000, '-') + "1 }}").ok());
  for (const char* link : {"+1", "~1", ".a", "[0]", "|e", "(1)", " or 1", " if 1", "<1", "**1"}) {
    std::string chain = "{{ a";
    for (int i = 0; i < 100'000; ++i) chain += link;
    EXPECT_EQ(outcome(chain + " }}").code(), absl::StatusCode::kInvalidArgument) << link;
  }
  std::string nested, branches = "{% if a %}";
  for (int i = 0; i < 5000; ++i) {
    nested += "{% if true %}";
    branches += "{% elif b %}";
  }
  EXPECT_FALSE(outcome(nested).ok());
  EXPECT_FALSE(outcome(branches + "{% endif %}").ok());
}

TEST(ChatTemplate, WhatTheSandboxForbidsIsNotThere) {
  for (const char* source :
       {"{{ ''.__class__.__mro__ }}", "{{ [].append(1) }}", "{{ {}.update({}) }}",
        "{{ {}.clear() }}", "{{ {}.pop('a') }}", "{{ range.__globals__['x'] }}",
        "{{ ('' | attr('__class__')).x }}", "{% set x = {} %}{% set x.a = 1 %}",
        "{% include 'x' %}", "{% import 'x' as y %}", "{% extends 'x' %}"}) {
    EXPECT_EQ(outcome(source).code(), absl::StatusCode::kInvalidArgument)
        << source << ": " << outcome(source);
  }
}

TEST(ChatTemplate, ErrorsNameTheLine) {
  for (const char* source :
       {"a\n{% if %}", "a\n{{ x", "a\n{% for x %}{% endfor %}", "a\n{{ 1 | nosuch }}",
        "a\n{{ missing.attribute }}", "a\n{{ 1 / 0 }}", "a\n{% bogus %}", "a\n{{ 'x }}",
        "a\n{{ 9223372036854775809999 }}", "a\n{{ missing() }}", "a\n{{ 1 is nosuch }}",
        "a\n{{ 'a' + 1 }}", "a\n{{ missing + 'a' }}", "a\n{% raw %}", "a\n{{ 2 ** 99 }}"}) {
    const auto status = outcome(source);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << source;
    EXPECT_NE(base::message(status).find("[template] line 2"), std::string_view::npos) << status;
  }
}

TEST(ChatTemplate, TheClockIsAParameter) {
  const auto parsed = ChatTemplate::parse("{{ strftime_now('%d %b %Y') }}");
  EXPECT_EQ(parsed->render({}, 1'700'000'000)->text, "14 Nov 2023");
}

// The part of the prompt that came from the request, span after span.
std::string foreign_part(const std::string& source, const std::string& variables) {
  const auto parsed = ChatTemplate::parse(source);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  const auto prompt = parsed->render(base::parse_json(variables)->as_object(), 0);
  EXPECT_TRUE(prompt.ok()) << source << prompt.status();
  std::string out;
  for (const auto& span : prompt->foreign) {
    out += "[" + prompt->text.substr(span.begin, span.end - span.begin) + "]";
  }
  return out;
}

TEST(ChatTemplate, KnowsWhichTextCameFromTheRequest) {
  const std::string variables =
      R"({"c":" <a> b ","d":{"k<":"v"},"l":["x","y"],"bos_token":"<s>","n":3,
          "messages":[{"role":"user","content":"hi"},{"role":"<|x|>","content":"yo"}]})";
  const std::pair<const char*, const char*> cases[] = {
      {"a{{ c }}b", "[ <a> b ]"},
      {"{{ '<|' + c | trim + '|>' }}", "[<a> b]"},
      {"{{ ('<|' ~ c ~ '|>')[1:-1] }}", "[ <a> b ]"},
      {"{{ ('<' + c + '>').split('b') | join('-') }}", "[ <a> ][ ]"},
      {"{{ c.replace('a', 'zz') }}", "[ <][> b ]"},
      {"{{ 'zz'.replace('z', c) }}", "[ <a> b  <a> b ]"},
      {"{{ ('x' + c) | upper }}", "[X <A> B ]"},  // not followed: all of it
      {"{{ d | tojson }}", "[{\"k<\": \"v\"}]"},
      {"{% for k, v in d.items() %}{{ k }}={{ v }}{% endfor %}", "[k<][v]"},
      {"{% for k in d %}{{ k }}{% endfor %}", "[k<]"},
      {"{{ d.keys() | list | first }}{{ d }}", "[k<{'k<': 'v'}]"},
      {"{{ l | join('<|>') }}", "[x][y]"},
      {"{{ l[0] }}|{{ l | last }}|{{ l | map('upper') | first }}", "[x][y][X]"},
      {"{% for ch in c %}{{ ch }}.{% endfor %}", "[ ][<][a][>][ ][b][ ]"},
      {"{% macro m(x) %}<|{{ x }}|>{% endmacro %}{{ m(c) | trim }}", "[ <a> b ]"},
      {"{% set x %}<|{{ c }}|>{% endset %}{{ x }}", "[ <a> b ]"},
      {"{% set ns = namespace(t='') %}{% set ns.t = ns.t + c %}<|{{ ns.t }}", "[ <a> b ]"},
      {"{{ '<|%s|>' % c }}{{ '{}'.format(c) }}", "[ <a> b ][ <a> b ]"},
      {"{{ bos_token }}{{ n }}{{ c | length }}", ""},
      {"{{ c if c else 'x' }}{{ nothing or c }}", "[ <a> b  <a> b ]"},
      {"{% for m in messages %}<|{{ m.role }}|>{{ m['content'] }}{% endfor %}", "[hi][<|x|>][yo]"},
      {"{% for m in messages %}{{ m }}{% endfor %}",
       "[{'role': 'user', 'content': 'hi'}{'role': '<|x|>', 'content': 'yo'}]"},
      {"{% for c in [c] | batch(1) %}{{ c[0] | default('z') }}{% endfor %}", "[ <a> b ]"},
      {"{% filter indent(1) %}<|{{ c }}\n|>{% endfilter %}", "[ <a> b ]"},
      {"{{ {c: 1} | items | first | first }}", "[ <a> b ]"},
  };
  for (const auto& [source, expected] : cases) {
    EXPECT_EQ(foreign_part(source, variables), expected) << source;
  }
}

}  // namespace
}  // namespace plinth::model
