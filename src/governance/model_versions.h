// The versions of models: which installed model a name and a version mean, which one is the
// default, and when one retires. A model that nobody gave versions has one, itself.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "governance/deployment.h"

namespace plinth::governance {

struct ModelVersion {
  std::string model, version;
  std::string served;  // the id of the installed model behind it
  bool is_default = false;
  std::optional<std::int64_t> retires_s;  // since 1970
  bool operator==(const ModelVersion&) const = default;
};

// {served, isDefault?, retiresAt? (seconds since 1970)}. InvalidArgument names the field.
absl::StatusOr<ModelVersion> parse_model_version(const base::json::value& document);
base::json::object model_version_json(const ModelVersion& version);

// Immutable.
class ModelVersions {
 public:
  ModelVersions() = default;
  explicit ModelVersions(const std::vector<ModelVersion>& versions);

  // Those that were declared, in the order of their names.
  std::vector<ModelVersion> declared(const std::string& model) const;
  // The same; the model itself where it has none.
  std::vector<ModelVersion> of(const std::string& model) const;
  // NotFound where the model has versions and this is none of them.
  absl::StatusOr<ModelVersion> find(const std::string& model, const std::string& version) const;
  // The version that a request of the deployment gets. `draw`: uniform, from 0 to 99, chooses among
  // canaries. NotFound with the date where it has retired and the deployment does not move on.
  absl::StatusOr<ModelVersion> choose(const Deployment& deployment, std::int64_t draw,
                                      std::int64_t now_s) const;
  ModelVersion default_of(const std::string& model) const;

 private:
  std::map<std::string, std::vector<ModelVersion>> by_model_;
};

}  // namespace plinth::governance
