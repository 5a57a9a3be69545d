// What a key gives whoever holds it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "governance/principal.h"
#include "governance/role_book.h"
#include "store/database.h"
#include "store/key_store.h"
#include "store/person_store.h"
#include "store/tenant_store.h"

namespace plinth::governance {

struct KeyRights {
  Grants grants;
  PermissionSet delegable;
};

// A key of a project is a User of it, or has its service account's role there (owner or member).
// An admin key is an Owner that manages and calls no models, but may hand out inference. Scopes
// say instead, one by one, what a key of nobody's may do; they restrict what others may. A key of a
// person never gives more than the person has at the time.
class KeyRightsReader {
 public:
  explicit KeyRightsReader(store::Database& database)
      : people_(database), tenants_(database), roles_(database) {}
  // NotFound where the key's owner is gone or disabled.
  absl::StatusOr<KeyRights> read(const store::KeyRow& row);

 private:
  absl::StatusOr<PermissionSet> of_project_key(const store::KeyRow& row,
                                               const std::optional<PermissionSet>& scopes);
  store::PersonStore people_;
  store::TenantStore tenants_;
  RoleBook roles_;
};

// Whether `who` may make or show a key of these rights, which may call `models` (empty = every
// one). PermissionDenied where it would give more than `who` has.
absl::Status check_may_hand_out(const Principal& who, const std::string& project,
                                const KeyRights& rights, const std::vector<std::string>& models);

}  // namespace plinth::governance
