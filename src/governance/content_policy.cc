#include "governance/content_policy.h"

#include <fmt/format.h>

#include <iterator>
#include <optional>
#include <utility>

#include "governance/content_limits.h"

namespace plinth::governance {

namespace json = base::json;

namespace {

template <typename T>
struct Name {
  std::string_view name;
  T value;
};

constexpr Name<ContentMode> kModes[] = {{"Default", ContentMode::default_mode},
                                        {"Deferred", ContentMode::deferred},
                                        {"Blocking", ContentMode::blocking},
                                        {"Asynchronous_filter", ContentMode::asynchronous_filter}};
constexpr Name<Severity> kThresholds[] = {
    {"Low", Severity::low}, {"Medium", Severity::medium}, {"High", Severity::high}};
constexpr Name<ContentSource> kSources[] = {{"Prompt", ContentSource::prompt},
                                            {"Completion", ContentSource::completion}};
constexpr Name<PiiAction> kActions[] = {{"Off", PiiAction::off},
                                        {"Detect", PiiAction::detect},
                                        {"Redact", PiiAction::redact},
                                        {"Block", PiiAction::block}};
constexpr Name<ContentCategory> kFilters[] = {{"Hate", ContentCategory::hate},
                                              {"Sexual", ContentCategory::sexual},
                                              {"Violence", ContentCategory::violence},
                                              {"Selfharm", ContentCategory::self_harm}};
constexpr std::array<std::string_view, 4> kFiltersOfAzure = {
    "Indirect Attack", "Profanity", "Protected Material Text", "Protected Material Code"};

// Azure's documents write Selfharm and SelfHarm, default and Default.
bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

template <typename T, std::size_t n>
std::optional<T> find_value(const Name<T> (&names)[n], std::string_view name) {
  for (const auto& [known, value] : names) {
    if (same_name(known, name)) return value;
  }
  return std::nullopt;
}

template <typename T, std::size_t n>
std::string_view find_name(const Name<T> (&names)[n], T value) {
  for (const auto& [name, known] : names) {
    if (known == value) return name;
  }
  return {};
}

absl::Status bad(std::string_view path, std::string_view what) {
  return base::invalid_argument(fmt::format("[content policy] {}: {}", path, what));
}

// An object of the document and its path.
class Node {
 public:
  static absl::StatusOr<Node> of(const json::value& value, std::string path) {
    if (const auto* object = value.if_object()) return Node(*object, std::move(path));
    return bad(path.empty() ? "document" : path, "must be an object");
  }

  std::string path_of(std::string_view key) const {
    return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
  }
  const json::value* find(std::string_view key) const {
    const json::value* value = object_->if_contains(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  absl::Status check_keys(std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : *object_) {
      bool found = false;
      for (const std::string_view name : known) found = found || std::string_view(key) == name;
      if (!found) return bad(path_of(key), "is not known");
    }
    return absl::OkStatus();
  }
  absl::StatusOr<bool> boolean(std::string_view key, bool otherwise) const {
    const json::value* value = find(key);
    if (value == nullptr) return otherwise;
    if (const auto* flag = value->if_bool()) return *flag;
    return bad(path_of(key), "must be true or false");
  }
  absl::StatusOr<std::string> text(std::string_view key, std::size_t bytes_max) const {
    const json::value* value = find(key);
    if (value == nullptr) return bad(path_of(key), "is missing");
    const auto* text = value->if_string();
    if (text == nullptr || text->empty()) return bad(path_of(key), "must be a text, not empty");
    if (text->size() > bytes_max) {
      return bad(path_of(key), fmt::format("is over {} bytes", bytes_max));
    }
    return std::string(*text);
  }
  template <typename T, std::size_t n>
  absl::StatusOr<T> one_of(std::string_view key, const Name<T> (&names)[n]) const {
    ASSIGN_OR_RETURN(const std::string said, text(key, kPolicyNameBytesMax));
    if (const auto value = find_value(names, said)) return *value;
    std::string known;
    for (const auto& [name, value] : names) fmt::format_to(std::back_inserter(known), " {}", name);
    return bad(path_of(key), fmt::format("\"{}\" is none of{}", said, known));
  }
  // Calls visit(Node) for each object of the array, if there is one.
  template <typename Visit>
  absl::Status for_each(std::string_view key, std::size_t count_max, const Visit& visit) const {
    const json::value* value = find(key);
    if (value == nullptr) return absl::OkStatus();
    const auto* array = value->if_array();
    if (array == nullptr) return bad(path_of(key), "must be an array");
    if (array->size() > count_max) {
      return bad(path_of(key), fmt::format("has over {} entries", count_max));
    }
    for (std::size_t i = 0; i < array->size(); ++i) {
      ASSIGN_OR_RETURN(const Node node, of((*array)[i], fmt::format("{}[{}]", path_of(key), i)));
      RETURN_IF_ERROR(visit(node));
    }
    return absl::OkStatus();
  }

 private:
  Node(const json::object& object, std::string path) : object_(&object), path_(std::move(path)) {}
  const json::object* object_;
  std::string path_;
};

absl::Status read_filter(const Node& node, ContentPolicy& policy) {
  RETURN_IF_ERROR(node.check_keys({"name", "enabled", "severityThreshold", "blocking", "source"}));
  ASSIGN_OR_RETURN(const std::string name, node.text("name", kPolicyNameBytesMax));
  ASSIGN_OR_RETURN(const ContentSource source, node.one_of("source", kSources));
  ASSIGN_OR_RETURN(const bool enabled, node.boolean("enabled", true));
  ASSIGN_OR_RETURN(const bool blocking, node.boolean("blocking", true));
  if (same_name(name, "Jailbreak")) {
    if (source != ContentSource::prompt) {
      return bad(node.path_of("source"), "Jailbreak is looked for in prompts alone");
    }
    policy.jailbreak = {enabled, blocking};
    return absl::OkStatus();
  }
  const auto category = find_value(kFilters, name);
  if (!category.has_value()) {
    for (const std::string_view known : kFiltersOfAzure) {
      if (same_name(name, known) && !enabled) return absl::OkStatus();
    }
    return bad(node.path_of("name"), fmt::format("there is no filter \"{}\"", name));
  }
  CategoryRule& rule = policy.rules(source).categories[index_of(*category)];
  if (node.find("severityThreshold") != nullptr) {
    ASSIGN_OR_RETURN(rule.threshold, node.one_of("severityThreshold", kThresholds));
  }
  rule.enabled = enabled;
  rule.blocking = blocking;
  return absl::OkStatus();
}

absl::Status read_blocklist(const Node& node, ContentPolicy& policy) {
  RETURN_IF_ERROR(node.check_keys({"blocklistName", "blocking", "source"}));
  BlocklistUse use;
  ASSIGN_OR_RETURN(use.name, node.text("blocklistName", kBlocklistNameBytesMax));
  ASSIGN_OR_RETURN(use.source, node.one_of("source", kSources));
  ASSIGN_OR_RETURN(use.blocking, node.boolean("blocking", true));
  for (const BlocklistUse& other : policy.blocklists) {
    if (other.name == use.name && other.source == use.source) {
      return bad(node.path_of("blocklistName"), "is named twice for this source");
    }
  }
  policy.blocklists.push_back(std::move(use));
  return absl::OkStatus();
}

absl::StatusOr<ContentPolicy> read_base(const Node& properties) {
  if (properties.find("basePolicyName") == nullptr) return default_content_policy();
  ASSIGN_OR_RETURN(const std::string name, properties.text("basePolicyName", kPolicyNameBytesMax));
  if (same_name(name, "Plinth.Off")) return off_content_policy();
  for (const auto* known : {"Plinth.Default", "Microsoft.Default", "Microsoft.DefaultV2"}) {
    if (same_name(name, known)) return default_content_policy();
  }
  return bad(properties.path_of("basePolicyName"),
             fmt::format("\"{}\" is no built-in policy", name));
}

absl::Status read_properties(const Node& properties, ContentPolicy& policy) {
  RETURN_IF_ERROR(properties.check_keys({"mode", "basePolicyName", "contentFilters",
                                         "customBlocklists", "piiFilters", "failOpen", "type"}));
  if (properties.find("mode") != nullptr) {
    ASSIGN_OR_RETURN(policy.mode, properties.one_of("mode", kModes));
  }
  RETURN_IF_ERROR(properties.for_each("contentFilters", kPolicyFiltersMax,
                                      [&](const Node& node) { return read_filter(node, policy); }));
  RETURN_IF_ERROR(properties.for_each("customBlocklists", kBlocklistsMax, [&](const Node& node) {
    return read_blocklist(node, policy);
  }));
  const auto read_pii = [&](const Node& node) -> absl::Status {
    RETURN_IF_ERROR(node.check_keys({"source", "action"}));
    ASSIGN_OR_RETURN(const ContentSource source, node.one_of("source", kSources));
    ASSIGN_OR_RETURN(policy.rules(source).pii, node.one_of("action", kActions));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(properties.for_each("piiFilters", std::size(kSources), read_pii));
  if (const json::value* value = properties.find("failOpen")) {
    ASSIGN_OR_RETURN(const Node node, Node::of(*value, properties.path_of("failOpen")));
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
  ASSIGN_OR_RETURN(const Node top, Node::of(document, ""));
  // What a resource manager adds to an answer comes back when the answer is sent again.
  RETURN_IF_ERROR(
      top.check_keys({"name", "properties", "id", "type", "etag", "systemData", "tags"}));
  const json::value* value = top.find("properties");
  if (value == nullptr) return bad("properties", "is missing");
  ASSIGN_OR_RETURN(const Node properties, Node::of(*value, "properties"));
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
