#include "governance/deployment.h"

#include <fmt/format.h>

#include <algorithm>

#include "governance/deployment_limits.h"
#include "governance/document/json_node.h"

namespace plinth::governance {

namespace {

constexpr char kKind[] = "deployment";

constexpr NamedValue<UpgradeOption> kUpgrades[] = {
    {"OnceNewDefaultVersionAvailable", UpgradeOption::with_default},
    {"OnceCurrentVersionExpired", UpgradeOption::when_retired},
    {"NoAutoUpgrade", UpgradeOption::never}};

// Where the machines are is the owner's own matter: Azure's geographies mean the same here.
constexpr NamedValue<std::string_view> kClasses[] = {{"Standard", "standard"},
                                                     {"GlobalStandard", "standard"},
                                                     {"DataZoneStandard", "standard"},
                                                     {"Provisioned", "provisioned"},
                                                     {"ProvisionedManaged", "provisioned"},
                                                     {"GlobalProvisionedManaged", "provisioned"},
                                                     {"DataZoneProvisionedManaged", "provisioned"},
                                                     {"Batch", "batch"},
                                                     {"GlobalBatch", "batch"},
                                                     {"DataZoneBatch", "batch"},
                                                     {"Developer", "developer"},
                                                     {"DeveloperTier", "developer"}};

absl::Status read_sku(const JsonNode& sku, Deployment& deployment) {
  RETURN_IF_ERROR(sku.check_keys({"name", "capacity", "tier", "size", "family"}));
  ASSIGN_OR_RETURN(const std::string_view service_class, sku.one_of("name", kClasses));
  deployment.service_class = service_class;
  ASSIGN_OR_RETURN(deployment.sku, sku.text("name", kDeploymentNameMax));
  const bool provisioned = deployment.service_class == "provisioned";
  if (sku.find("capacity") == nullptr) {
    if (provisioned) return sku.bad("capacity", "is missing: how many units are provisioned");
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(deployment.capacity,
                   sku.integer("capacity", 1, provisioned ? kUnitsMax : kCapacityMax));
  return absl::OkStatus();
}

absl::Status read_canaries(const JsonNode& properties, Deployment& deployment) {
  std::int64_t sum = 0;
  const auto read = [&](const JsonNode& node) -> absl::Status {
    RETURN_IF_ERROR(node.check_keys({"version", "percent"}));
    CanaryShare share;
    ASSIGN_OR_RETURN(share.version, node.text("version", kVersionBytesMax));
    ASSIGN_OR_RETURN(share.percent, node.integer("percent", 0, 100));
    sum += share.percent;
    deployment.canary.push_back(std::move(share));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(properties.for_each("canary", kCanariesMax, read));
  if (sum > 100) return properties.bad("canary", "has over 100 percent together");
  return absl::OkStatus();
}

absl::Status read_parameters(const JsonNode& properties, Deployment& deployment) {
  const auto* value = properties.find("defaultParameters");
  if (value == nullptr) return absl::OkStatus();
  const auto* object = value->if_object();
  if (object == nullptr) return properties.bad("defaultParameters", "must be an object");
  if (object->size() > kParametersMax) {
    return properties.bad("defaultParameters", fmt::format("has over {} entries", kParametersMax));
  }
  for (const auto& entry : *object) {
    const std::string name(entry.key());
    if (!entry.value().is_number())
      return properties.bad("defaultParameters." + name, "must be a number");
    deployment.default_parameters[name] = entry.value().to_number<double>();
  }
  return absl::OkStatus();
}

absl::Status read_model(const JsonNode& model, Deployment& deployment) {
  RETURN_IF_ERROR(
      model.check_keys({"format", "name", "version", "source", "publisher", "callRateLimit"}));
  ASSIGN_OR_RETURN(deployment.model, model.text("name", kModelNameBytesMax));
  ASSIGN_OR_RETURN(deployment.version, model.text("version", kVersionBytesMax, ""));
  return absl::OkStatus();
}

absl::Status read_properties(const JsonNode& properties, Deployment& deployment) {
  RETURN_IF_ERROR(properties.check_keys(
      {"model", "raiPolicyName", "versionUpgradeOption", "spilloverDeploymentName",
       "defaultMaxOutput", "defaultParameters", "canary", "dynamicThrottlingEnabled",
       "currentCapacity", "scaleSettings", "provisioningState", "rateLimits", "capabilities",
       "servedModel", "retiresAt"}));
  ASSIGN_OR_RETURN(const JsonNode model, properties.object("model"));
  RETURN_IF_ERROR(read_model(model, deployment));
  ASSIGN_OR_RETURN(deployment.content_policy,
                   properties.text("raiPolicyName", kDeploymentNameMax, ""));
  ASSIGN_OR_RETURN(deployment.spillover,
                   properties.text("spilloverDeploymentName", kDeploymentNameMax, ""));
  if (properties.find("versionUpgradeOption") != nullptr) {
    ASSIGN_OR_RETURN(deployment.upgrade, properties.one_of("versionUpgradeOption", kUpgrades));
  }
  ASSIGN_OR_RETURN(const bool throttling, properties.boolean("dynamicThrottlingEnabled", false));
  if (throttling) {
    return properties.bad("dynamicThrottlingEnabled", "capacity is what was given, never more");
  }
  if (properties.find("defaultMaxOutput") != nullptr) {
    ASSIGN_OR_RETURN(deployment.default_max_output,
                     properties.integer("defaultMaxOutput", 1, INT32_MAX));
  }
  RETURN_IF_ERROR(read_parameters(properties, deployment));
  return read_canaries(properties, deployment);
}

base::json::object properties_json(const Deployment& deployment) {
  base::json::object model{{"format", "OpenAI"}, {"name", deployment.model}};
  if (!deployment.version.empty()) model["version"] = deployment.version;
  base::json::object properties{{"model", std::move(model)},
                                {"versionUpgradeOption", find_name(kUpgrades, deployment.upgrade)}};
  if (!deployment.content_policy.empty()) properties["raiPolicyName"] = deployment.content_policy;
  if (!deployment.spillover.empty()) properties["spilloverDeploymentName"] = deployment.spillover;
  if (deployment.default_max_output)
    properties["defaultMaxOutput"] = *deployment.default_max_output;
  if (!deployment.default_parameters.empty()) {
    base::json::object parameters;
    for (const auto& [name, value] : deployment.default_parameters) parameters[name] = value;
    properties["defaultParameters"] = std::move(parameters);
  }
  if (!deployment.canary.empty()) {
    base::json::array shares;
    for (const auto& share : deployment.canary)
      shares.push_back({{"version", share.version}, {"percent", share.percent}});
    properties["canary"] = std::move(shares);
  }
  return properties;
}

}  // namespace

absl::Status check_deployment_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  if (!name.empty() && name.size() <= kDeploymentNameMax &&
      std::all_of(name.begin(), name.end(), allowed)) {
    return absl::OkStatus();
  }
  return base::invalid_argument(fmt::format(
      "[deployment] name: 1 to {} letters, digits, '-', '_' and '.'", kDeploymentNameMax));
}

absl::StatusOr<Deployment> parse_deployment(const base::json::value& document) {
  ASSIGN_OR_RETURN(const JsonNode top, JsonNode::of(kKind, document));
  RETURN_IF_ERROR(
      top.check_keys({"sku", "properties", "id", "name", "type", "etag", "systemData", "tags"}));
  Deployment deployment;
  if (top.find("sku") != nullptr) {
    ASSIGN_OR_RETURN(const JsonNode sku, top.object("sku"));
    RETURN_IF_ERROR(read_sku(sku, deployment));
  }
  ASSIGN_OR_RETURN(const JsonNode properties, top.object("properties"));
  RETURN_IF_ERROR(read_properties(properties, deployment));
  return deployment;
}

base::json::object deployment_json(const Deployment& deployment) {
  base::json::object sku{{"name", deployment.sku}};
  if (deployment.capacity > 0) sku["capacity"] = deployment.capacity;
  return {{"sku", std::move(sku)}, {"properties", properties_json(deployment)}};
}

}  // namespace plinth::governance
