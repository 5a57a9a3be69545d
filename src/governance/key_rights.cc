#include "governance/key_rights.h"

#include <algorithm>

#include "governance/built_in_roles.h"

namespace plinth::governance {

namespace {

PermissionSet restricted(PermissionSet set, const std::optional<PermissionSet>& scopes) {
  return scopes ? set & *scopes : set;
}

}  // namespace

absl::StatusOr<PermissionSet> KeyRightsReader::of_project_key(
    const store::KeyRow& row, const std::optional<PermissionSet>& scopes) {
  const auto user = built_in_role(kUser)->permissions;
  if (row.person) {
    ASSIGN_OR_RETURN(const auto own, roles_.permissions_of(row.organization, *row.person));
    return own.in(row.project) & scopes.value_or(user);
  }
  if (row.service_account) {
    ASSIGN_OR_RETURN(const auto account, tenants_.service_account(*row.service_account));
    const auto role = account.role == kWireOwner    ? project_permissions()
                      : account.role == kWireMember ? user
                                                    : PermissionSet();
    return restricted(role, scopes);
  }
  return scopes.value_or(user);
}

absl::StatusOr<KeyRights> KeyRightsReader::read(const store::KeyRow& row) {
  std::optional<PermissionSet> scopes;
  if (row.scopes) {
    ASSIGN_OR_RETURN(scopes, permissions_from_row(*row.scopes));
  }
  if (row.person) {
    ASSIGN_OR_RETURN(const auto person, people_.find(row.organization, *row.person));
    if (person.disabled_s) return base::not_found("The key's user is disabled.");
  }
  KeyRights rights;
  if (row.role == "admin") {
    auto all = all_permissions();
    if (row.person) {
      ASSIGN_OR_RETURN(const auto own, roles_.permissions_of(row.organization, *row.person));
      all = own.organization;
    }
    all = restricted(all, scopes);
    const PermissionSet inference{Permission::infer};
    rights.grants.organization = all.without(inference);
    rights.delegable = all & inference;
    return rights;
  }
  ASSIGN_OR_RETURN(const auto own, of_project_key(row, scopes));
  // One of no project may nothing: "" would mean the organization.
  if (!row.project.empty()) rights.grants.add(row.project, own);
  return rights;
}

absl::Status check_may_hand_out(const Principal& who, const std::string& project,
                                const KeyRights& rights, const std::vector<std::string>& models) {
  RETURN_IF_ERROR(who.check_may_give(rights.grants.in(project) | rights.delegable, project));
  if (who.models.empty()) return absl::OkStatus();
  const bool within =
      !models.empty() && std::all_of(models.begin(), models.end(),
                                     [&](const auto& model) { return who.may_call(model); });
  if (within) return absl::OkStatus();
  return absl::PermissionDeniedError(
      "Your key calls some models alone: a key that it makes names models among these.");
}

}  // namespace plinth::governance
