#include "governance/deployments.h"

#include <fmt/format.h>

#include "base/log.h"
#include "governance/deployment_limits.h"

namespace plinth::governance {

namespace {

constexpr char kDeployment[] = "deployment";
constexpr char kVersion[] = "model_version";
constexpr char kProvisioned[] = "provisioned";

// How a deployment lies in the database: what its administrator wrote, and what we noted.
std::string body_of(const Deployment& deployment) {
  return base::to_json(base::json::object{{"document", deployment_json(deployment)},
                                          {"seen_default", deployment.seen_default}});
}

absl::StatusOr<Deployment> read_deployment(const store::DocumentRow& row) {
  ASSIGN_OR_RETURN(const auto body, base::parse_json(row.body));
  const auto* object = body.if_object();
  const auto* document = object != nullptr ? object->if_contains("document") : nullptr;
  if (document == nullptr) return base::data_loss("[deployment] has no document");
  ASSIGN_OR_RETURN(auto deployment, parse_deployment(*document));
  if (const auto* seen = object->if_contains("seen_default"); seen != nullptr && seen->is_string())
    deployment.seen_default = seen->get_string();
  deployment.project = row.scope;
  deployment.name = row.name;
  deployment.created_s = row.created_s;
  deployment.updated_s = row.updated_s;
  return deployment;
}

absl::StatusOr<ModelVersion> read_version(const store::DocumentRow& row) {
  ASSIGN_OR_RETURN(const auto body, base::parse_json(row.body));
  ASSIGN_OR_RETURN(auto version, parse_model_version(body));
  version.model = row.scope;
  version.version = row.name;
  return version;
}

// A document of a newer program is passed over: what it says may be more than is known here.
template <typename Read>
auto read_all(const std::vector<store::DocumentRow>& rows, const Read& read) {
  std::vector<std::decay_t<decltype(*read(rows[0]))>> out;
  for (const auto& row : rows) {
    auto one = read(row);
    if (one.ok()) {
      out.push_back(*std::move(one));
    } else {
      LOG(warn, "{} {} of {} is left out: {}", row.kind, row.name, row.scope,
          one.status().ToString());
    }
  }
  return out;
}

// Units of provisioned throughput of a model that every project together has.
std::int64_t units_of(const std::vector<Deployment>& all, const std::string& model) {
  std::int64_t units = 0;
  for (const auto& one : all) {
    if (one.service_class == kProvisioned && one.model == model) units += one.capacity;
  }
  return units;
}

}  // namespace

std::string deployment_scope(const Deployment& deployment) {
  return deployment.project + "/" + deployment.name;
}

absl::StatusOr<std::unique_ptr<Deployments>> Deployments::open(const Parts& parts) {
  std::unique_ptr<Deployments> made(new Deployments(parts));
  RETURN_IF_ERROR(made->refresh());
  return made;
}

absl::StatusOr<std::vector<Deployment>> Deployments::stored() const {
  ASSIGN_OR_RETURN(const auto rows, store_.all(kDeployment));
  return read_all(rows, read_deployment);
}

absl::Status Deployments::refresh() {
  ASSIGN_OR_RETURN(auto deployments, stored());
  ASSIGN_OR_RETURN(const auto version_rows, store_.all(kVersion));
  decltype(deployments_) read;
  for (auto& deployment : deployments) {
    std::pair key(deployment.project, deployment.name);
    read.emplace(std::move(key), std::make_shared<Deployment>(std::move(deployment)));
  }
  ModelVersions versions(read_all(version_rows, read_version));
  std::lock_guard lock(mutex_);
  deployments_ = std::move(read);
  versions_ = std::move(versions);
  return absl::OkStatus();
}

absl::StatusOr<Called> Deployments::find(const std::string& project, const std::string& name,
                                         std::int64_t draw) const {
  std::lock_guard lock(mutex_);
  const auto found = deployments_.find({project, name});
  if (found == deployments_.end()) return Called{nullptr, name};
  ASSIGN_OR_RETURN(const auto version,
                   versions_.choose(*found->second, draw, clock_.unix_seconds()));
  return Called{found->second, version.served};
}

std::shared_ptr<const Deployment> Deployments::deployment(const std::string& project,
                                                          const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = deployments_.find({project, name});
  return found == deployments_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<const Deployment>> Deployments::list(const std::string& project) const {
  std::vector<std::shared_ptr<const Deployment>> out;
  std::lock_guard lock(mutex_);
  for (auto at = deployments_.lower_bound({project, ""});
       at != deployments_.end() && at->first.first == project; ++at) {
    out.push_back(at->second);
  }
  return out;
}

ModelVersions Deployments::versions() const {
  std::lock_guard lock(mutex_);
  return versions_;
}

absl::Status Deployments::check(const Deployment& deployment) const {
  RETURN_IF_ERROR(check_deployment_name(deployment.name));
  const auto bad = [](std::string_view path, std::string_view what) {
    return base::invalid_argument(fmt::format("[deployment] {}: {}", path, what));
  };
  const auto versions = this->versions();
  if (!deployment.version.empty()) {
    const auto version = versions.find(deployment.model, deployment.version);
    if (!version.ok()) return bad("properties.model.version", base::message(version.status()));
  }
  for (const auto& share : deployment.canary) {
    const auto version = versions.find(deployment.model, share.version);
    if (!version.ok()) return bad("properties.canary", base::message(version.status()));
  }
  if (!deployment.spillover.empty()) {
    constexpr char kPath[] = "properties.spilloverDeploymentName";
    if (deployment.service_class != kProvisioned)
      return bad(kPath, "is for provisioned deployments");
    const auto other = this->deployment(deployment.project, deployment.spillover);
    if (other == nullptr || other->service_class != "standard")
      return bad(kPath, "names no standard deployment of this project");
  }
  return absl::OkStatus();
}

absl::Status Deployments::follow(const Deployment& deployment) {
  const auto scope = deployment_scope(deployment);
  const bool provisioned = deployment.service_class == kProvisioned;
  std::int64_t unit_tokens = 0;
  if (provisioned && deployment.capacity > 0) {
    ASSIGN_OR_RETURN(const auto row, throughput_.of(deployment.model));
    unit_tokens = row.unit_tokens;
  }
  const auto rate = [&](Resource resource, std::int64_t of_capacity, bool is_its) {
    const store::LimitRow row{kDeployment, scope, "", std::string(resource_name(resource)),
                              deployment.capacity * of_capacity};
    return is_its && row.amount > 0 ? admission_.set_limit(row) : admission_.remove_limit(row);
  };
  RETURN_IF_ERROR(rate(Resource::tokens_per_minute, kTokensOfCapacity, !provisioned));
  RETURN_IF_ERROR(rate(Resource::requests_per_minute, kRequestsOfCapacity, !provisioned));
  RETURN_IF_ERROR(rate(Resource::provisioned_tokens, unit_tokens, provisioned));
  store::CommitmentSpan held;
  held.project = deployment.project;
  held.deployment = deployment.name;
  held.model = deployment.model;
  held.units = provisioned ? deployment.capacity : 0;
  return commitments_.note(held);
}

absl::Status Deployments::sell(const Deployment& deployment) {
  if (deployment.service_class == kProvisioned) {
    // Another gateway may have accepted another row, and sold some, a moment ago.
    RETURN_IF_ERROR(throughput_.refresh());
    ASSIGN_OR_RETURN(const auto row, throughput_.of(deployment.model));
    ASSIGN_OR_RETURN(const auto all, stored());
    const auto most = kUnitsOfReplica * row.replicas;
    const auto sold = units_of(all, deployment.model) - deployment.capacity;
    if (sold + deployment.capacity > most) {
      return base::invalid_argument(
          fmt::format("[deployment] sku.capacity: {} of the {} units of `{}` are sold already",
                      sold, most, deployment.model));
    }
  }
  return follow(deployment);
}

absl::StatusOr<Deployment> Deployments::put(Deployment deployment) {
  RETURN_IF_ERROR(check(deployment));
  deployment.seen_default = versions().default_of(deployment.model).version;
  const auto now_s = clock_.unix_seconds();
  ASSIGN_OR_RETURN(const auto row, store_.put({kDeployment, deployment.project, deployment.name,
                                               body_of(deployment), now_s, now_s},
                                              kDeploymentsMax, [&] { return sell(deployment); }));
  deployment.created_s = row.created_s;
  deployment.updated_s = row.updated_s;
  std::lock_guard lock(mutex_);
  deployments_[{deployment.project, deployment.name}] = std::make_shared<Deployment>(deployment);
  return deployment;
}

absl::StatusOr<ThroughputRow> Deployments::accept(ThroughputRow row) {
  return throughput_.accept(std::move(row), [this](const ThroughputRow& accepted) -> absl::Status {
    ASSIGN_OR_RETURN(const auto all, stored());
    const auto sold = units_of(all, accepted.model), most = kUnitsOfReplica * accepted.replicas;
    if (sold > most) {
      return base::invalid_argument(
          fmt::format("[throughput] replicas: {} units of `{}` are sold, and {} is the most of {}",
                      sold, accepted.model, most, accepted.replicas));
    }
    for (const auto& deployment : all) {
      if (deployment.service_class == kProvisioned && deployment.model == accepted.model)
        RETURN_IF_ERROR(follow(deployment));
    }
    return absl::OkStatus();
  });
}

absl::Status Deployments::remove(const std::string& project, const std::string& name) {
  const auto found = deployment(project, name);
  if (found == nullptr) return base::not_found("No such deployment: " + name);
  for (const auto& other : list(project)) {
    if (other->spillover != name) continue;
    return base::invalid_argument(fmt::format(
        "[deployment] {} takes the spillover of {}: change that one first", name, other->name));
  }
  RETURN_IF_ERROR(store_.remove(kDeployment, project, name));
  Deployment unlimited = *found;
  unlimited.capacity = 0;
  RETURN_IF_ERROR(follow(unlimited));
  std::lock_guard lock(mutex_);
  deployments_.erase({project, name});
  return absl::OkStatus();
}

absl::StatusOr<ModelVersion> Deployments::put_version(const ModelVersion& version) {
  if (version.version.empty() || version.version.size() > kVersionBytesMax) {
    return base::invalid_argument(
        fmt::format("[model version] version: 1 to {} bytes", kVersionBytesMax));
  }
  const auto now_s = clock_.unix_seconds();
  const auto write = [&](const ModelVersion& one) {
    return store_
        .put({kVersion, one.model, one.version, base::to_json(model_version_json(one)), now_s,
              now_s},
             kVersionsMax)
        .status();
  };
  RETURN_IF_ERROR(write(version));
  if (version.is_default) {
    const auto others = versions().declared(version.model);
    for (auto other : others) {
      if (!other.is_default || other.version == version.version) continue;
      other.is_default = false;
      RETURN_IF_ERROR(write(other));
    }
  }
  RETURN_IF_ERROR(refresh());
  return version;
}

absl::Status Deployments::remove_version(const std::string& model, const std::string& version) {
  {
    std::lock_guard lock(mutex_);
    for (const auto& entry : deployments_) {
      const auto& deployment = *entry.second;
      if (deployment.model != model || deployment.version != version) continue;
      return base::invalid_argument(
          fmt::format("[model version] {} {} is what deployment {} of {} "
                      "serves",
                      model, version, deployment.name, deployment.project));
    }
  }
  RETURN_IF_ERROR(store_.remove(kVersion, model, version));
  return refresh();
}

}  // namespace plinth::governance
