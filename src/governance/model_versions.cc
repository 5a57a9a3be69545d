#include "governance/model_versions.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "governance/deployment_limits.h"
#include "governance/document/json_node.h"

namespace plinth::governance {

namespace {

bool retired(const ModelVersion& version, std::int64_t now_s) {
  return version.retires_s && *version.retires_s <= now_s;
}

std::string day_of(std::int64_t time_s) {
  return fmt::format("{:%Y-%m-%d}", fmt::gmtime(static_cast<std::time_t>(time_s)));
}

}  // namespace

absl::StatusOr<ModelVersion> parse_model_version(const base::json::value& document) {
  ASSIGN_OR_RETURN(const JsonNode node, JsonNode::of("model version", document));
  RETURN_IF_ERROR(
      node.check_keys({"served", "isDefault", "retiresAt", "object", "model", "version"}));
  ModelVersion version;
  ASSIGN_OR_RETURN(version.served, node.text("served", kModelNameBytesMax));
  ASSIGN_OR_RETURN(version.is_default, node.boolean("isDefault", false));
  if (node.find("retiresAt") != nullptr) {
    // Until the year 9999, which dates can still be written of.
    ASSIGN_OR_RETURN(version.retires_s, node.integer("retiresAt", 0, 253'402'300'799));
  }
  return version;
}

base::json::object model_version_json(const ModelVersion& version) {
  base::json::object out{{"served", version.served}, {"isDefault", version.is_default}};
  if (version.retires_s) out["retiresAt"] = *version.retires_s;
  return out;
}

ModelVersions::ModelVersions(const std::vector<ModelVersion>& versions) {
  for (const auto& version : versions) by_model_[version.model].push_back(version);
  for (auto& entry : by_model_) {
    std::sort(entry.second.begin(), entry.second.end(),
              [](const auto& a, const auto& b) { return a.version < b.version; });
  }
}

std::vector<ModelVersion> ModelVersions::declared(const std::string& model) const {
  const auto found = by_model_.find(model);
  return found != by_model_.end() ? found->second : std::vector<ModelVersion>();
}

std::vector<ModelVersion> ModelVersions::of(const std::string& model) const {
  auto versions = declared(model);
  if (versions.empty()) versions.push_back({model, "1", model, true, std::nullopt});
  return versions;
}

absl::StatusOr<ModelVersion> ModelVersions::find(const std::string& model,
                                                 const std::string& version) const {
  for (auto& known : of(model)) {
    if (known.version == version) return known;
  }
  return base::not_found(fmt::format("The model `{}` has no version `{}`.", model, version));
}

ModelVersion ModelVersions::default_of(const std::string& model) const {
  const auto versions = of(model);
  // Where nobody said so, the last by name: dates and numbers grow.
  const auto found = std::find_if(versions.begin(), versions.end(),
                                  [](const auto& version) { return version.is_default; });
  return found != versions.end() ? *found : versions.back();
}

absl::StatusOr<ModelVersion> ModelVersions::choose(const Deployment& deployment, std::int64_t draw,
                                                   std::int64_t now_s) const {
  for (const auto& share : deployment.canary) {
    draw -= share.percent;
    if (draw >= 0) continue;
    const auto canary = find(deployment.model, share.version);
    if (canary.ok() && !retired(*canary, now_s)) return canary;
    break;  // a canary that is gone leaves its requests to the version that is there
  }
  const auto newest = default_of(deployment.model);
  const bool moved_on = deployment.upgrade == UpgradeOption::with_default &&
                        newest.version != deployment.seen_default;
  if (deployment.version.empty() || moved_on) return newest;
  ASSIGN_OR_RETURN(auto version, find(deployment.model, deployment.version));
  if (!retired(version, now_s)) return version;
  if (deployment.upgrade != UpgradeOption::never) return newest;
  return base::not_found(fmt::format(
      "Version `{}` of model `{}` retired on {}, and the deployment `{}` does not move on by "
      "itself.",
      version.version, deployment.model, day_of(*version.retires_s), deployment.name));
}

}  // namespace plinth::governance
