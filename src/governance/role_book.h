// Every role, built in or made by the organization, and what people have through roles.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "governance/built_in_roles.h"
#include "governance/principal.h"
#include "store/role_store.h"

namespace plinth::governance {

struct AccessRole {
  std::string id, name;
  std::optional<std::string> description;
  PermissionSet permissions;
  bool built_in = false;
  std::int64_t created_s = 0, updated_s = 0;  // 0 where it is built in
};

// What a custom role is to be.
struct RoleSpec {
  std::string name;
  std::optional<std::string> description;
  PermissionSet permissions;
};

// Where a role counts or is made: project "" = the organization.
struct RoleScope {
  std::string organization = "default";
  std::string project;
};

// Thread-safe. InvalidArgument and NotFound name what is wrong; PermissionDenied where `who` has
// less than the role gives.
class RoleBook {
 public:
  // `changed` runs after each change of what people may.
  explicit RoleBook(
      store::Database& database, std::function<void()> changed = [] {})
      : rows_(database), changed_(std::move(changed)) {}

  // Built-in ones first.
  absl::StatusOr<std::vector<AccessRole>> list(const RoleScope& scope);
  // Custom roles belong to the scope in which they were made.
  absl::StatusOr<AccessRole> find(const RoleScope& scope, const std::string& id);
  absl::StatusOr<AccessRole> create(const Principal& who, const RoleScope& scope,
                                    const std::string& id, const RoleSpec& spec,
                                    std::int64_t now_s);
  absl::StatusOr<AccessRole> update(const Principal& who, const RoleScope& scope,
                                    const std::string& id, const RoleSpec& spec,
                                    std::int64_t now_s);
  absl::Status remove(const Principal& who, const RoleScope& scope, const std::string& id);

  // What a user's roles give, directly and through groups, everywhere. Nothing for who is unknown;
  // being disabled is not looked at.
  absl::StatusOr<Grants> permissions_of(const std::string& organization, const std::string& user);
  // What these assignments give.
  absl::StatusOr<Grants> grants_of(const std::string& organization,
                                   const std::vector<store::AssignmentRow>& assignments);

 private:
  store::RoleStore rows_;
  const std::function<void()> changed_;
};

}  // namespace plinth::governance
