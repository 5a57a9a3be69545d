#include "governance/content_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "governance/content_blocklist.h"

namespace plinth::governance {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<ContentPolicy> parse(std::string_view text) {
  return parse_content_policy(*base::parse_json(text));
}

std::string refusal(std::string_view text) {
  const auto policy = parse(text);
  return policy.ok() ? "" : std::string(base::message(policy.status()));
}

TEST(ContentPolicy, ReadsAzuresRaiPolicy) {
  const auto policy = parse(R"({"name": "strict", "id": "/x", "type": "t", "etag": "1",
    "properties": {"basePolicyName": "Microsoft.Default", "mode": "Blocking", "type": "UserManaged",
      "contentFilters": [
        {"name": "hate", "enabled": true, "severityThreshold": "Low", "blocking": true,
         "source": "Prompt"},
        {"name": "SelfHarm", "blocking": false, "source": "Completion"},
        {"name": "Jailbreak", "blocking": false, "source": "Prompt"},
        {"name": "Protected Material Text", "enabled": false, "source": "Completion"}],
      "customBlocklists": [{"blocklistName": "ours", "blocking": true, "source": "Completion"}],
      "piiFilters": [{"source": "Completion", "action": "Redact"}],
      "failOpen": {"prompt": false}}})");
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->name, "strict");
  EXPECT_EQ(policy->mode, ContentMode::blocking);
  EXPECT_EQ(policy->prompt.categories[0], (CategoryRule{true, true, Severity::low}));
  EXPECT_EQ(policy->prompt.categories[1], (CategoryRule{true, true, Severity::medium}));
  EXPECT_EQ(policy->completion.categories[3], (CategoryRule{true, false, Severity::medium}));
  EXPECT_EQ(policy->jailbreak, (JailbreakRule{true, false}));
  EXPECT_EQ(policy->blocklists,
            (std::vector<BlocklistUse>{{"ours", ContentSource::completion, true}}));
  EXPECT_EQ(policy->prompt.pii, PiiAction::off);
  EXPECT_EQ(policy->completion.pii, PiiAction::redact);
  EXPECT_FALSE(policy->prompt.fail_open);
  EXPECT_FALSE(policy->completion.fail_open);
}

TEST(ContentPolicy, WhatIsNotSaidIsTheDefault) {
  auto expected = default_content_policy();
  EXPECT_TRUE(expected.prompt.fail_open);
  EXPECT_FALSE(expected.completion.fail_open);
  expected.name.clear();
  EXPECT_EQ(*parse(R"({"properties": {}})"), expected);
  auto off = off_content_policy();
  off.name.clear();
  EXPECT_EQ(*parse(R"({"properties": {"basePolicyName": "Plinth.Off"}})"), off);
}

TEST(ContentPolicy, IsReadBackAsItWasWritten) {
  ContentPolicy policy = off_content_policy();
  policy.mode = ContentMode::asynchronous_filter;
  policy.prompt.categories[2] = {true, false, Severity::high};
  policy.completion.categories[0] = {false, true, Severity::low};
  policy.prompt.pii = PiiAction::block;
  policy.completion.pii = PiiAction::detect;
  policy.completion.fail_open = true;
  policy.blocklists = {{"a", ContentSource::prompt, false}, {"a", ContentSource::completion, true}};
  for (const auto& each : {policy, default_content_policy(), off_content_policy()}) {
    const auto again = parse(base::to_json(content_policy_json(each)));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, each);
  }
}

TEST(ContentPolicy, RefusalsNameThePath) {
  const auto filters = [](std::string_view entry) {
    return refusal(R"({"properties": {"contentFilters": [
        {"name": "Hate", "source": "Prompt"}, )" +
                   std::string(entry) + "]}}");
  };
  EXPECT_THAT(filters(R"({"name": "Hate", "source": "Prompt", "severityThreshold": "Mid"})"),
              HasSubstr("properties.contentFilters[1].severityThreshold: \"Mid\" is none of Low"));
  EXPECT_THAT(filters(R"({"name": "Hate"})"),
              HasSubstr("properties.contentFilters[1].source: is missing"));
  EXPECT_THAT(filters(R"({"name": "Hate", "source": "Both"})"),
              HasSubstr("contentFilters[1].source"));
  EXPECT_THAT(filters(R"({"name": "Profanity", "source": "Prompt"})"),
              HasSubstr("contentFilters[1].name: there is no filter \"Profanity\""));
  EXPECT_THAT(filters(R"({"name": "Hate", "source": "Prompt", "enabled": 1})"),
              HasSubstr("contentFilters[1].enabled: must be true or false"));
  EXPECT_THAT(filters(R"({"name": "Hate", "source": "Prompt", "blockin": true})"),
              HasSubstr("contentFilters[1].blockin: is not known"));
  EXPECT_THAT(filters(R"({"name": "Jailbreak", "source": "Completion"})"),
              HasSubstr("contentFilters[1].source"));
  EXPECT_THAT(filters("7"), HasSubstr("contentFilters[1]: must be an object"));
  EXPECT_THAT(refusal("[]"), HasSubstr("document: must be an object"));
  EXPECT_THAT(refusal("{}"), HasSubstr("properties: is missing"));
  EXPECT_THAT(refusal(R"({"properties": {"mode": "Fast"}})"), HasSubstr("properties.mode"));
  EXPECT_THAT(refusal(R"({"properties": {"basePolicyName": "mine"}})"),
              HasSubstr("properties.basePolicyName"));
  EXPECT_THAT(refusal(R"({"properties": {"customBlocklists": [{"source": "Prompt"}]}})"),
              HasSubstr("properties.customBlocklists[0].blocklistName: is missing"));
  EXPECT_THAT(refusal(R"({"properties": {"customBlocklists": {}}})"),
              HasSubstr("must be an array"));
  EXPECT_THAT(refusal(R"({"properties": {"failOpen": {"both": true}}})"),
              HasSubstr("properties.failOpen.both: is not known"));
  EXPECT_THAT(refusal(R"({"properties": {"piiFilters": [{"source": "Prompt", "action": "x"}]}})"),
              HasSubstr("properties.piiFilters[0].action"));
}

TEST(ContentBlocklist, ItemsAreCheckedWhenTheyAreRead) {
  const auto read = [](std::string_view text) {
    return parse_blocklist_item(*base::parse_json(text));
  };
  const auto item = read(R"({"pattern": "a\\d+", "isRegex": true})");
  ASSERT_TRUE(item.ok());
  EXPECT_EQ(*item, (BlocklistItem{"a\\d+", true, true}));
  EXPECT_EQ(*parse_blocklist_item(blocklist_item_json(*item)), *item);
  EXPECT_THAT(read(R"({"pattern": "a(", "isRegex": true})").status().ToString(),
              HasSubstr("at byte 2"));
  EXPECT_FALSE(read(R"({"pattern": ""})").ok());
  EXPECT_FALSE(read(R"({"isRegex": true})").ok());
  EXPECT_THAT(read(R"({"pattern": "a", "regex": true})").status().ToString(),
              HasSubstr("properties.regex: is not known"));
}

}  // namespace
}  // namespace plinth::governance
