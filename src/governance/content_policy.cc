#include "governance/content_policy.h"

#include <fmt/format.h>

#include <iterator>
#include <optional>
#include <utility>

#include "governance/content_limits.h"
#include "governance/document/json_node.h"

namespace plinth::governance {

namespace json = base::json;

namespace {

constexpr char kKind[] = "content policy";

constexpr NamedValue<ContentMode> kModes[] = {
    {"Default", ContentMode::default_mode},
    {"Deferred", ContentMode::deferred},
    {"Blocking", ContentMode::blocking},
    {"Asynchronous_filter", ContentMode::asynchronous_filter}};
constexpr NamedValue<Severity> kThresholds[] = {
    {"Low", Severity::low}, {"Medium", Severity::medium}, {"High", Severity::high}};
constexpr NamedValue<ContentSource> kSources[] = {{"Prompt", ContentSource::prompt},
                                                  {"Completion", ContentSource::completion}};
constexpr NamedValue<PiiAction> kActions[] = {{"Off", PiiAction::off},
                                              {"Detect", PiiAction::detect},
                                              {"Redact", PiiAction::redact},
                                              {"Block", PiiAction::block}};
constexpr NamedValue<ContentCategory> kFilters[] = {{"Hate", ContentCategory::hate},
                                                    {"Sexual", ContentCategory::sexual},
                                                    {"Violence", ContentCategory::violence},
                                                    {"Selfharm", ContentCategory::self_harm}};
constexpr std::array<std::string_view, 4> kFiltersOfAzure = {
    "Indirect Attack", "Profanity", "Protected Material Text", "Protected Material Code"};

absl::Status read_filter(const JsonNode& node, ContentPolicy& policy) {
  RETURN_IF_ERROR(node.check_keys({"name", "enabled", "severityThreshold", "blocking", "source"}));
  ASSIGN_OR_RETURN(const std::string name, node.text("name", kPolicyNameBytesMax));
  ASSIGN_OR_RETURN(const ContentSource source, node.one_of("source", kSources));
  ASSIGN_OR_RETURN(const bool enabled, node.boolean("enabled", true));
  ASSIGN_OR_RETURN(const bool blocking, node.boolean("blocking", true));
  if (same_name(name, "Jailbreak")) {
    if (source != ContentSource::prompt) {
      return node.bad("source", "Jailbreak is looked for in prompts alone");
    }
    policy.jailbreak = {enabled, blocking};
    return absl::OkStatus();
  }
  const auto category = find_value(kFilters, name);
  if (!category.has_value()) {
    for (const std::string_view known : kFiltersOfAzure) {
      if (same_name(name, known) && !enabled) return absl::OkStatus();
    }
    return node.bad("name", fmt::format("there is no filter \"{}\"", name));
  }
  CategoryRule& rule = policy.rules(source).categories[index_of(*category)];
  if (node.find("severityThreshold") != nullptr) {
    ASSIGN_OR_RETURN(rule.threshold, node.one_of("severityThreshold", kThresholds));
  }
  rule.enabled = enabled;
  rule.blocking = blocking;
  return absl::OkStatus();
}

absl::Status read_blocklist(const JsonNode& node, ContentPolicy& policy) {
  RETURN_IF_ERROR(node.check_keys({"blocklistName", "blocking", "source"}));
  BlocklistUse use;
  ASSIGN_OR_RETURN(use.name, node.text("blocklistName", kBlocklistNameBytesMax));
  ASSIGN_OR_RETURN(use.source, node.one_of("source", kSources));
  ASSIGN_OR_RETURN(use.blocking, node.boolean("blocking", true));
  for (const BlocklistUse& other : policy.blocklists) {
    if (other.name == use.name && other.source == use.source) {
      return node.bad("blocklistName", "is named twice for this source");
    }
  }
  policy.blocklists.push_back(std::move(use));
  return absl::OkStatus();
}

absl::StatusOr<ContentPolicy> read_base(const JsonNode& properties) {
  if (properties.find("basePolicyName") == nullptr) return default_content_policy();
  ASSIGN_OR_RETURN(const std::string name, properties.text("basePolicyName", kPolicyNameBytesMax));
  if (same_name(name, "Plinth.Off")) return off_content_policy();
  for (const auto* known : {"Plinth.Default", "Microsoft.Default", "Microsoft.DefaultV2"}) {
    if (same_name(name, known)) return default_content_policy();
  }
  return properties.bad("basePolicyName", fmt::format("\"{}\" is no built-in policy", name));
}

absl::Status read_properties(const JsonNode& properties, ContentPolicy& policy) {
  RETURN_IF_ERROR(properties.check_keys({"mode", "basePolicyName", "contentFilters",
                                         "customBlocklists", "piiFilters", "failOpen", "type"}));
  if (properties.find("mode") != nullptr) {
    ASSIGN_OR_RETURN(policy.mode, properties.one_of("mode", kModes));
  }
  RETURN_IF_ERROR(
      properties.for_each("contentFilters", kPolicyFiltersMax,
                          [&](const JsonNode& node) { return read_filter(node, policy); }));
  RETURN_IF_ERROR(
      properties.for_each("customBlocklists", kBlocklistsMax,
                          [&](const JsonNode& node) { return read_blocklist(node, policy); }));
  const auto read_pii = [&](const JsonNode& node) -> absl::Status {
    RETURN_IF_ERROR(node.check_keys({"source", "action"}));
    ASSIGN_OR_RETURN(const ContentSource source, node.one_of("source", kSources));
    ASSIGN_OR_RETURN(policy.rules(source).pii, node.one_of("action", kActions));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(properties.for_each("piiFilters", std::size(kSources), read_pii));
  if (properties.find("failOpen") != nullptr) {
    ASSIGN_OR_RETURN(const JsonNode node, properties.object("failOpen"));
    RETURN_IF_ERROR(node.check_keys({"prompt", "completion"}));
    ASSIGN_OR_RETURN(policy.prompt.fail_open, node.boolean("prompt", policy.prompt.fail_open));
    ASSIGN_OR_RETURN(policy.completion.fail_open,
                     node.boolean("completion", policy.completion.fail_open));
  }
  return absl::OkStatus();
}

}  // namespace

ContentPolicy default_content_policy() {
  ContentPolicy policy;
  policy.name = "Plinth.Default";
  policy.prompt.fail_open = true;
  return policy;
}

ContentPolicy off_content_policy() {
  ContentPolicy policy = default_content_policy();
  policy.name = "Plinth.Off";
  policy.jailbreak = {false, false};
  for (const ContentSource source : {ContentSource::prompt, ContentSource::completion}) {
    policy.rules(source).categories.fill({false, false, Severity::medium});
  }
  return policy;
}

absl::StatusOr<ContentPolicy> parse_content_policy(const json::value& document) {
  ASSIGN_OR_RETURN(const JsonNode top, JsonNode::of(kKind, document));
  // What a resource manager adds to an answer comes back when the answer is sent again.
  RETURN_IF_ERROR(
      top.check_keys({"name", "properties", "id", "type", "etag", "systemData", "tags"}));
  ASSIGN_OR_RETURN(const JsonNode properties, top.object("properties"));
  ASSIGN_OR_RETURN(ContentPolicy policy, read_base(properties));
  policy.name.clear();
  if (top.find("name") != nullptr) {
    ASSIGN_OR_RETURN(policy.name, top.text("name", kPolicyNameBytesMax));
  }
  RETURN_IF_ERROR(read_properties(properties, policy));
  return policy;
}

json::object content_policy_json(const ContentPolicy& policy) {
  json::array filters;
  json::array pii;
  for (const auto& [source_name, source] : kSources) {
    for (const auto& [name, category] : kFilters) {
      const CategoryRule& rule = policy.rules(source).categories[index_of(category)];
      filters.push_back(json::object{{"name", name},
                                     {"enabled", rule.enabled},
                                     {"severityThreshold", find_name(kThresholds, rule.threshold)},
                                     {"blocking", rule.blocking},
                                     {"source", source_name}});
    }
    pii.push_back(json::object{{"source", source_name},
                               {"action", find_name(kActions, policy.rules(source).pii)}});
  }
  filters.push_back(json::object{{"name", "Jailbreak"},
                                 {"enabled", policy.jailbreak.enabled},
                                 {"blocking", policy.jailbreak.blocking},
                                 {"source", "Prompt"}});
  json::array blocklists;
  for (const BlocklistUse& use : policy.blocklists) {
    blocklists.push_back(json::object{{"blocklistName", use.name},
                                      {"blocking", use.blocking},
                                      {"source", find_name(kSources, use.source)}});
  }
  json::object properties;
  properties["mode"] = find_name(kModes, policy.mode);
  properties["contentFilters"] = std::move(filters);
  properties["customBlocklists"] = std::move(blocklists);
  properties["piiFilters"] = std::move(pii);
  properties["failOpen"] = {{"prompt", policy.prompt.fail_open},
                            {"completion", policy.completion.fail_open}};
  json::object document;
  if (!policy.name.empty()) document["name"] = policy.name;
  document["properties"] = std::move(properties);
  return document;
}

}  // namespace plinth::governance
