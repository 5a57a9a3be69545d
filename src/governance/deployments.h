// The deployments of every project and the versions of every model, in memory as the database has
// them.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "governance/admission.h"
#include "governance/deployment.h"
#include "governance/model_versions.h"
#include "store/document_store.h"

namespace plinth::governance {

// What a name that a client called means.
struct Called {
  std::shared_ptr<const Deployment> deployment;  // null: the model itself
  std::string model;                             // the id of the installed model that answers
};

// The scope of a deployment's limits and its name in the ledger: "proj_1/chat".
std::string deployment_scope(const Deployment& deployment);

// Thread-safe.
class Deployments {
 public:
  // The references outlive it.
  static absl::StatusOr<std::unique_ptr<Deployments>> open(store::DocumentStore& store,
                                                           Admission& admission,
                                                           const base::Clock& clock);

  // A deployment of the project, else the model of that name. NotFound where what it names retired.
  absl::StatusOr<Called> find(const std::string& project, const std::string& name,
                              std::int64_t draw) const;
  // Null where the project has none of that name.
  std::shared_ptr<const Deployment> deployment(const std::string& project,
                                               const std::string& name) const;
  // By name.
  std::vector<std::shared_ptr<const Deployment>> list(const std::string& project) const;
  // Units of provisioned throughput of a model that every project together has, without those of
  // one deployment.
  std::int64_t units_sold(const std::string& model, const Deployment& without) const;
  ModelVersions versions() const;

  // Durable when these return. InvalidArgument names the field at fault.
  absl::StatusOr<Deployment> put(Deployment deployment);
  absl::Status remove(const std::string& project, const std::string& name);
  absl::StatusOr<ModelVersion> put_version(const ModelVersion& version);
  absl::Status remove_version(const std::string& model, const std::string& version);

  // Reads again what other gateways may have changed.
  absl::Status refresh();

 private:
  Deployments(store::DocumentStore& store, Admission& admission, const base::Clock& clock)
      : store_(store), admission_(admission), clock_(clock) {}
  absl::Status check(const Deployment& deployment) const;
  absl::Status set_limits(const Deployment& deployment);

  store::DocumentStore& store_;
  Admission& admission_;
  const base::Clock& clock_;
  mutable std::mutex mutex_;
  // By project and name; protected by mutex_, as the next.
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const Deployment>> deployments_;
  ModelVersions versions_;
};

}  // namespace plinth::governance
