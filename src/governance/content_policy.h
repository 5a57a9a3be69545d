// Content policies in the shape of Azure's raiPolicies: what is looked for in prompts and in
// completions, and what follows. Plain data; ContentFilter makes it work.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "governance/content_types.h"

namespace plinth::governance {

// How completions stream: all but asynchronous_filter hold back what may yet be blocked.
enum class ContentMode : std::uint8_t { default_mode, deferred, blocking, asynchronous_filter };

struct CategoryRule {
  bool enabled = true;                    // whether it is looked for at all
  bool blocking = true;                   // otherwise results say so and nothing more
  Severity threshold = Severity::medium;  // of what is blocked; never safe
  bool operator==(const CategoryRule&) const = default;
};

enum class PiiAction : std::uint8_t { off, detect, redact, block };

struct SourceRules {
  std::array<CategoryRule, kContentCategories.size()> categories;  // by index_of
  PiiAction pii = PiiAction::off;
  // What follows where a detector fails: open lets the text pass, and results say so.
  bool fail_open = false;
  bool operator==(const SourceRules&) const = default;
};

// Attempts to talk the model out of its instructions; in prompts alone.
struct JailbreakRule {
  bool enabled = true;
  bool blocking = true;
  bool operator==(const JailbreakRule&) const = default;
};

struct BlocklistUse {
  std::string name;
  ContentSource source = ContentSource::prompt;
  bool blocking = true;
  bool operator==(const BlocklistUse&) const = default;
};

struct ContentPolicy {
  std::string name;
  ContentMode mode = ContentMode::default_mode;
  SourceRules prompt;
  SourceRules completion;
  JailbreakRule jailbreak;
  std::vector<BlocklistUse> blocklists;
  bool operator==(const ContentPolicy&) const = default;

  const SourceRules& rules(ContentSource source) const {
    return source == ContentSource::prompt ? prompt : completion;
  }
  SourceRules& rules(ContentSource source) {
    return source == ContentSource::prompt ? prompt : completion;
  }
};

// "Plinth.Default": the four categories blocked from medium on, jailbreaks blocked, failures let
// prompts pass and stop completions.
ContentPolicy default_content_policy();
// "Plinth.Off" looks for nothing.
ContentPolicy off_content_policy();

// {name?, properties{mode?, basePolicyName?, contentFilters?, customBlocklists?, piiFilters?,
// failOpen?}}. What is not said is the base policy's, Plinth.Default if none is named; Azure's
// Microsoft.Default and Microsoft.DefaultV2 mean it too. piiFilters[{source, action: Off|Detect|
// Redact|Block}] and failOpen{prompt, completion} are ours. Azure's filters that are not here
// (profanity, protected material, indirect attacks) are taken where they are not enabled.
// InvalidArgument names the path: "properties.contentFilters[2].severityThreshold".
absl::StatusOr<ContentPolicy> parse_content_policy(const base::json::value& document);
// Says everything, so that it is read back as the same policy.
base::json::object content_policy_json(const ContentPolicy& policy);

}  // namespace plinth::governance
