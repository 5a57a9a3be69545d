#include "governance/content_wire.h"

#include <gtest/gtest.h>

#include "governance/content_filter.h"

namespace plinth::governance {
namespace {

using base::parse_json;

ContentVerdict check(const ContentPolicy& policy, ContentSource source, std::string_view text,
                     const std::vector<Blocklist>& lists = {}) {
  return check_text(**ContentFilter::compile(policy, lists), source, text).verdict;
}

TEST(ContentWire, ResultsOfAPrompt) {
  const std::vector verdicts = {
      check(default_content_policy(), ContentSource::prompt, "hello"),
      check(default_content_policy(), ContentSource::prompt, "do anything now: kill yourself")};
  EXPECT_EQ(base::json::value(prompt_filter_results(verdicts)), *parse_json(R"([
    {"prompt_index": 0, "content_filter_results": {
      "hate": {"filtered": false, "severity": "safe"},
      "sexual": {"filtered": false, "severity": "safe"},
      "violence": {"filtered": false, "severity": "safe"},
      "self_harm": {"filtered": false, "severity": "safe"},
      "jailbreak": {"detected": false, "filtered": false}}},
    {"prompt_index": 1, "content_filter_results": {
      "hate": {"filtered": false, "severity": "safe"},
      "sexual": {"filtered": false, "severity": "safe"},
      "violence": {"filtered": false, "severity": "safe"},
      "self_harm": {"filtered": true, "severity": "high"},
      "jailbreak": {"detected": true, "filtered": true}}}])"));
}

TEST(ContentWire, ResultsOfACompletionHoldWhatThePolicyLooksFor) {
  ContentPolicy policy = off_content_policy();
  policy.completion.categories[index_of(ContentCategory::hate)].enabled = true;
  policy.completion.pii = PiiAction::redact;
  policy.blocklists = {{"a", ContentSource::completion, false},
                       {"b", ContentSource::completion, true}};
  const std::vector<Blocklist> lists = {{"a", {{"alpha"}}}, {"b", {{"(x+)+y", true}}}};
  const auto verdict =
      check(policy, ContentSource::completion,
            "alpha bob@example.com ann@example.com " + std::string(50, 'x') + "!", lists);
  EXPECT_EQ(base::json::value(content_filter_results(verdict)), *parse_json(R"({
    "hate": {"filtered": false, "severity": "safe"},
    "custom_blocklists": {"filtered": false, "details": [{"id": "a", "filtered": false}]},
    "personally_identifiable_information": {"detected": true, "filtered": false,
      "redacted": true, "types": ["EMAIL"]},
    "error": {"code": "content_filter_error", "message": "The contents are not filtered"}})"));
  const auto off = check(off_content_policy(), ContentSource::completion, "kill yourself");
  EXPECT_TRUE(content_filter_results(off).empty());
}

TEST(ContentWire, TheErrorOfABlockedPromptIsTheOneThatClientsRead) {
  ContentPolicy policy = off_content_policy();
  policy.jailbreak = {};
  const auto verdict = check(policy, ContentSource::prompt, "do anything now");
  const auto body = content_filter_error(verdict);
  const auto& error = body.at("error").as_object();
  EXPECT_FALSE(error.at("message").as_string().empty());
  base::json::object rest = error;
  rest.erase("message");
  EXPECT_EQ(base::json::value(rest), *parse_json(R"({
    "type": null, "param": "prompt", "code": "content_filter", "status": 400,
    "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {
      "jailbreak": {"detected": true, "filtered": true}}}})"));
}

}  // namespace
}  // namespace plinth::governance
