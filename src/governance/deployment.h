// A deployment: the name that clients call, bound to a model's version, a service class and a
// capacity. Plain data; Deployments keeps them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace plinth::governance {

// What follows for a deployment when its model gets a newer default version. Azure's
// versionUpgradeOption.
enum class UpgradeOption : std::uint8_t { with_default, when_retired, never };

struct CanaryShare {
  std::string version;
  std::int64_t percent = 0;  // of the requests
  bool operator==(const CanaryShare&) const = default;
};

struct Deployment {
  std::string project, name;
  std::string sku = "Standard";  // as it was written: "GlobalStandard"
  std::string service_class = "standard";
  // Of standard: thousands of tokens a minute, 0 = no limit of its own. Of provisioned: units.
  std::int64_t capacity = 0;
  std::string model;
  std::string version;  // "" = the model's default one
  UpgradeOption upgrade = UpgradeOption::with_default;
  std::string seen_default;         // the model's default version when `version` was chosen
  std::vector<CanaryShare> canary;  // what is left of 100 percent goes to `version`
  std::string content_policy;       // "" = the service's own
  std::string spillover;            // the deployment that takes what this one has no room for
  std::optional<std::int64_t> default_max_output;    // tokens, where a request says none
  std::map<std::string, double> default_parameters;  // {"temperature": 0.2}, where it says none
  std::int64_t created_s = 0, updated_s = 0;
  bool operator==(const Deployment&) const = default;
};

// 1 to 64 letters, digits, '-', '_' and '.', as Azure has it.
absl::Status check_deployment_name(std::string_view name);

// {sku{name, capacity?}, properties{model{name, version?, format?}, raiPolicyName?,
// versionUpgradeOption?, spilloverDeploymentName?, defaultMaxOutput?, defaultParameters?,
// canary?[{version, percent}]}}. The last three are ours; what Azure's answers add is taken and
// ignored. Which parameters there are is for whoever knows the models. InvalidArgument names the
// path: "properties.model.name".
absl::StatusOr<Deployment> parse_deployment(const base::json::value& document);
// Read back as the same deployment, but for project, name, times and seen_default.
base::json::object deployment_json(const Deployment& deployment);

}  // namespace plinth::governance
