#include "governance/role_book.h"

#include <fmt/format.h>

#include <algorithm>

#include "governance/limits.h"

namespace plinth::governance {

namespace {

AccessRole to_access_role(const BuiltInRole& role, const RoleScope& scope) {
  AccessRole out;
  out.id = std::string(role.id);
  out.name = std::string(role.name);
  out.description = std::string(role.doc);
  out.permissions =
      scope.project.empty() ? role.permissions : role.permissions & project_permissions();
  out.built_in = true;
  return out;
}

absl::StatusOr<AccessRole> to_access_role(const store::RoleRow& row) {
  AccessRole out;
  out.id = row.id;
  out.name = row.name;
  out.description = row.description;
  ASSIGN_OR_RETURN(out.permissions, permissions_from_row(row.permissions));
  out.created_s = row.created_s;
  out.updated_s = row.updated_s;
  return out;
}

absl::Status check_spec(const RoleScope& scope, const RoleSpec& spec) {
  const auto nowhere =
      spec.permissions.without(scope.project.empty() ? all_permissions() : project_permissions());
  if (nowhere.empty()) return absl::OkStatus();
  return base::invalid_argument(fmt::format("A role of a project cannot give {}.",
                                            fmt::join(permission_names(nowhere), ", ")));
}

absl::Status check_custom(const std::string& id) {
  if (built_in_role(id) == nullptr) return absl::OkStatus();
  return base::invalid_argument(fmt::format("The role '{}' is built in and stays as it is.", id));
}

absl::Status named_once(const absl::Status& status, const std::string& name) {
  if (!absl::IsAlreadyExists(status)) return status;
  return base::invalid_argument(fmt::format("There is a role of the name '{}' already.", name));
}

}  // namespace

absl::StatusOr<std::vector<AccessRole>> RoleBook::list(const RoleScope& scope) {
  std::vector<AccessRole> roles;
  for (const auto& role : built_in_roles()) roles.push_back(to_access_role(role, scope));
  ASSIGN_OR_RETURN(const auto rows, rows_.list(scope.organization, scope.project));
  for (const auto& row : rows) {
    ASSIGN_OR_RETURN(roles.emplace_back(), to_access_role(row));
  }
  return roles;
}

absl::StatusOr<AccessRole> RoleBook::find(const RoleScope& scope, const std::string& id) {
  if (const auto* role = built_in_role(id)) return to_access_role(*role, scope);
  ASSIGN_OR_RETURN(const auto row, rows_.find(scope.organization, scope.project, id));
  return to_access_role(row);
}

absl::StatusOr<AccessRole> RoleBook::create(const Principal& who, const RoleScope& scope,
                                            const std::string& id, const RoleSpec& spec,
                                            std::int64_t now_s) {
  RETURN_IF_ERROR(check_spec(scope, spec));
  RETURN_IF_ERROR(who.check_may_give(spec.permissions, scope.project));
  ASSIGN_OR_RETURN(const auto present, rows_.list(scope.organization, scope.project));
  if (present.size() >= kCustomRolesMax) {
    return base::invalid_argument(
        fmt::format("There are {} custom roles already, as many as there can be.", present.size()));
  }
  const store::RoleRow row{id,
                           scope.organization,
                           scope.project,
                           spec.name,
                           spec.description,
                           to_row(spec.permissions),
                           now_s,
                           now_s};
  RETURN_IF_ERROR(named_once(rows_.insert(row), spec.name));
  return to_access_role(row);
}

absl::StatusOr<AccessRole> RoleBook::update(const Principal& who, const RoleScope& scope,
                                            const std::string& id, const RoleSpec& spec,
                                            std::int64_t now_s) {
  RETURN_IF_ERROR(check_custom(id));
  RETURN_IF_ERROR(check_spec(scope, spec));
  ASSIGN_OR_RETURN(auto row, rows_.find(scope.organization, scope.project, id));
  ASSIGN_OR_RETURN(const auto before, permissions_from_row(row.permissions));
  RETURN_IF_ERROR(who.check_may_give(spec.permissions.without(before), scope.project));
  RETURN_IF_ERROR(who.check_may_take(before.without(spec.permissions), scope.project));
  row.name = spec.name;
  row.description = spec.description;
  row.permissions = to_row(spec.permissions);
  row.updated_s = now_s;
  RETURN_IF_ERROR(named_once(rows_.update(row), spec.name));
  changed_();
  return to_access_role(row);
}

absl::Status RoleBook::remove(const Principal& who, const RoleScope& scope, const std::string& id) {
  RETURN_IF_ERROR(check_custom(id));
  ASSIGN_OR_RETURN(const auto role, find(scope, id));
  RETURN_IF_ERROR(who.check_may_take(role.permissions, scope.project));
  RETURN_IF_ERROR(rows_.remove(scope.organization, id));
  changed_();
  return absl::OkStatus();
}

absl::StatusOr<Grants> RoleBook::permissions_of(const std::string& organization,
                                                const std::string& user) {
  ASSIGN_OR_RETURN(const auto assignments, rows_.all_roles_of_user(user));
  return grants_of(organization, assignments);
}

absl::StatusOr<Grants> RoleBook::grants_of(const std::string& organization,
                                           const std::vector<store::AssignmentRow>& assignments) {
  Grants grants;
  for (const auto& assignment : assignments) {
    const auto role = find({organization, assignment.project}, assignment.role);
    // A custom role that is removed at this moment gives nothing any more.
    if (absl::IsNotFound(role.status())) continue;
    RETURN_IF_ERROR(role.status());
    grants.add(assignment.project, role->permissions);
  }
  return grants;
}

}  // namespace plinth::governance
