// The deployments of every project and the versions of every model, in memory as the database has
// them.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "governance/admission.h"
#include "governance/commitments.h"
#include "governance/deployment.h"
#include "governance/model_versions.h"
#include "governance/provisioned_throughput.h"
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
  // What follows from a deployment, and what it follows from. All outlive it.
  struct Parts {
    store::DocumentStore& store;
    Admission& admission;               // keeps its limits
    ProvisionedThroughput& throughput;  // says what its units are
    Commitments& commitments;           // charges for those that it holds
    const base::Clock& clock;
  };
  static absl::StatusOr<std::unique_ptr<Deployments>> open(const Parts& parts);

  // A deployment of the project, else the model of that name. NotFound where what it names retired.
  absl::StatusOr<Called> find(const std::string& project, const std::string& name,
                              std::int64_t draw) const;
  // Null where the project has none of that name.
  std::shared_ptr<const Deployment> deployment(const std::string& project,
                                               const std::string& name) const;
  // By name.
  std::vector<std::shared_ptr<const Deployment>> list(const std::string& project) const;
  ModelVersions versions() const;

  // Durable when these return. InvalidArgument names the field at fault. Of provisioned units no
  // gateway sells more than the replicas of their model sustain.
  absl::StatusOr<Deployment> put(Deployment deployment);
  absl::Status remove(const std::string& project, const std::string& name);
  // What a unit is from now on, also of those that are sold.
  absl::StatusOr<ThroughputRow> accept(ThroughputRow row);
  absl::StatusOr<ModelVersion> put_version(const ModelVersion& version);
  absl::Status remove_version(const std::string& model, const std::string& version);

  // Reads again what other gateways may have changed.
  absl::Status refresh();

 private:
  explicit Deployments(const Parts& parts)
      : store_(parts.store),
        admission_(parts.admission),
        throughput_(parts.throughput),
        commitments_(parts.commitments),
        clock_(parts.clock) {}
  absl::Status check(const Deployment& deployment) const;
  // Everybody's, as the database has them now.
  absl::StatusOr<std::vector<Deployment>> stored() const;
  // Its limits, and from when on it is charged for units.
  absl::Status follow(const Deployment& deployment);
  // The same where it is provisioned: there is room for what it asks.
  absl::Status sell(const Deployment& deployment);

  store::DocumentStore& store_;
  Admission& admission_;
  ProvisionedThroughput& throughput_;
  Commitments& commitments_;
  const base::Clock& clock_;
  mutable std::mutex mutex_;
  // By project and name; protected by mutex_, as the next.
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const Deployment>> deployments_;
  ModelVersions versions_;
};

}  // namespace plinth::governance
