// Which models a project may call, in memory as the database has it. Without a row a project may
// call every one.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "store/document_store.h"

namespace plinth::governance {

struct ModelPermission {
  // Of `models`: either these alone, or all but these.
  bool allow_list = false;
  // Ids of models, or names of the project's deployments; they need not exist.
  std::vector<std::string> models = {};

  bool operator==(const ModelPermission&) const = default;
};

// That a project may call a model of another one.
struct ModelGrant {
  std::string id, project;
  std::int64_t created_s = 0;
  bool operator==(const ModelGrant&) const = default;
};

// Thread-safe.
class ModelPermissions {
 public:
  // The references outlive it.
  static absl::StatusOr<std::unique_ptr<ModelPermissions>> open(store::DocumentStore& store,
                                                                const base::Clock& clock);

  // Of a project without a row: a deny list of nothing.
  ModelPermission of(std::string_view project) const;
  // Whether a project may call what has these names: a deployment's own, that of its model, the
  // installed model's behind it. An allow list allows it by any of them, a deny list forbids it so.
  bool may_call(std::string_view project, std::initializer_list<std::string_view> names) const;

  // Durable when these return. InvalidArgument names the bound.
  absl::Status set(const std::string& project, ModelPermission permission);
  absl::Status remove(const std::string& project);  // removing what is not there is fine
  // A model with owners may be called by them alone: those that it was given to.
  absl::Status give(const std::string& model, const std::string& project);
  // Taking what is not there is fine; a model without owners left is everybody's.
  absl::Status take(const std::string& model, const std::string& project);
  bool has_owner(std::string_view model) const;
  std::vector<std::string> owners(std::string_view model) const;
  bool owns(std::string_view project, std::string_view model) const;
  // A model with owners may be called by these projects, too, which do not own it. Sharing it twice
  // is fine: the first grant stays. They end with the last owner.
  absl::Status share(const std::string& model, const std::string& project, const std::string& id);
  absl::Status unshare(const std::string& model, const std::string& project);
  std::vector<ModelGrant> grants(std::string_view model) const;  // oldest first
  // Reads again what other gateways may have changed.
  absl::Status refresh();

 private:
  using Owners = std::map<std::string, std::set<std::string, std::less<>>, std::less<>>;
  using Grants = std::map<std::string, std::vector<ModelGrant>, std::less<>>;
  ModelPermissions(store::DocumentStore& store, const base::Clock& clock)
      : store_(store), clock_(clock) {}
  absl::StatusOr<Grants> stored_grants();

  store::DocumentStore& store_;
  const base::Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, ModelPermission, std::less<>> rows_;  // by project; protected by mutex_
  Owners owners_;  // projects by model; protected by mutex_
  Grants grants_;  // by model; protected by mutex_
};

}  // namespace plinth::governance
