// New keys, and old ones that go.
#include <algorithm>

#include "governance/vault/secret_file.h"
#include "governance/vault/vault_impl.h"
#include "governance/vault_limits.h"

namespace plinth::governance {

absl::Status Vault::renew_master() {
  RETURN_IF_ERROR(impl_->master->renew());
  return rewrap().status();
}

absl::StatusOr<std::size_t> Vault::rewrap() {
  RETURN_IF_ERROR(impl_->read());
  struct Changed {
    std::string id, wrapped, by;
  };
  std::vector<Changed> changed;
  {
    std::lock_guard lock(impl_->mutex);
    for (const auto& row : impl_->rows) {
      const auto* above = row.project.empty() ? nullptr : impl_->current(row.organization, "");
      const auto& wanted = above == nullptr ? impl_->master->id() : above->id;
      if (row.wrapped_by == wanted) continue;
      ASSIGN_OR_RETURN(const auto key, impl_->unwrapped(row.id));
      Changed one{row.id, "", ""};
      ASSIGN_OR_RETURN(std::tie(one.wrapped, one.by), impl_->wrap(row, *key.bytes));
      changed.push_back(std::move(one));
    }
  }
  for (const auto& one : changed) {
    const auto status = impl_->store.rewrap(one.id, one.wrapped, one.by);
    // It was destroyed meanwhile.
    if (!status.ok() && !absl::IsNotFound(status)) return status;
  }
  ASSIGN_OR_RETURN(const auto secrets, stale_secrets(impl_->home, *impl_->master));
  for (const auto& name : secrets)
    RETURN_IF_ERROR(rewrap_secret(impl_->home, name, *impl_->master));
  if (!changed.empty()) impl_->stale_pages = true;
  RETURN_IF_ERROR(impl_->read());
  return changed.size() + secrets.size();
}

absl::Status Vault::renew_keys(const std::string& organization, const std::string& project) {
  RETURN_IF_ERROR(impl_->read());
  std::vector<std::string> scopes;  // projects; "" first: theirs are wrapped by it
  for (const auto& row : impl_->rows_of(organization, project)) {
    if (!row.retired_s && std::count(scopes.begin(), scopes.end(), row.project) == 0)
      scopes.push_back(row.project);
  }
  std::sort(scopes.begin(), scopes.end());
  for (const auto& scope : scopes) {
    DataKey made;
    store::DataKeyRow row;
    std::string old;
    {
      std::lock_guard lock(impl_->mutex);
      RETURN_IF_ERROR(impl_->refuse_shredded(organization, scope));
      const auto* current = impl_->current(organization, scope);
      if (current == nullptr) continue;
      old = current->id;
      ASSIGN_OR_RETURN(row, impl_->make_row(organization, scope, made));
    }
    RETURN_IF_ERROR(
        impl_->database.transaction("renew a data key", [&](store::Sql&) -> absl::Status {
          if (auto status = impl_->store.retire(old, row.created_s); !status.ok()) return status;
          return impl_->store.insert(row);
        }));
    RETURN_IF_ERROR(impl_->read());
  }
  return rewrap().status();
}

absl::Status Vault::destroy_retired(const std::string& id) {
  for (const auto& row : keys()) {
    if (row.id == id && !row.retired_s)
      return base::failed_precondition("[vault] the key " + id + " is not retired");
    if (row.wrapped_by == id)
      return base::failed_precondition("[vault] the key " + id + " wraps " + row.id);
  }
  RETURN_IF_ERROR(impl_->store.destroy(id));
  impl_->stale_pages = true;
  return impl_->read();
}

absl::StatusOr<std::vector<std::string>> Vault::forget_masters() {
  RETURN_IF_ERROR(rewrap().status());
  std::vector<std::string> gone;
  const auto rows = keys();
  for (const auto& id : impl_->master->generations()) {
    if (id == impl_->master->id()) continue;
    if (std::any_of(rows.begin(), rows.end(),
                    [&](const auto& row) { return row.wrapped_by == id; }))
      continue;
    RETURN_IF_ERROR(impl_->master->forget(id));
    gone.push_back(id);
  }
  return gone;
}

}  // namespace plinth::governance
