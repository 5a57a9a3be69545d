// Which models a project may call, in memory as the database has it. Without a row a project may
// call every one.
#pragma once

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
  bool owns(std::string_view project, std::string_view model) const;
  // Reads again what other gateways may have changed.
  absl::Status refresh();

 private:
  ModelPermissions(store::DocumentStore& store, const base::Clock& clock)
      : store_(store), clock_(clock) {}

  store::DocumentStore& store_;
  const base::Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, ModelPermission, std::less<>> rows_;  // by project; protected by mutex_
  using Owners = std::map<std::string, std::set<std::string, std::less<>>, std::less<>>;
  Owners owners_;  // projects by model; protected by mutex_
};

}  // namespace plinth::governance
