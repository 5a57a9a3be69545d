#include "governance/principal.h"

#include <fmt/format.h>

#include <algorithm>

namespace plinth::governance {

namespace {

absl::Status beyond(std::string_view verb, PermissionSet missing) {
  return absl::PermissionDeniedError(
      base::to_absl(fmt::format("You cannot {} what you do not have yourself: {}.", verb,
                                fmt::join(permission_names(missing), ", "))));
}

}  // namespace

PermissionSet Grants::in(std::string_view project) const {
  const auto found = projects.find(project);
  return found == projects.end() ? organization : organization | found->second;
}

void Grants::add(const std::string& project, PermissionSet more) {
  if (project.empty()) {
    organization = organization | more;
  } else {
    auto& own = projects[project];
    own = own | (more & project_permissions());
  }
}

PermissionSet Grants::anywhere() const {
  PermissionSet all = organization;
  for (const auto& [project, set] : projects) all = all | set;
  return all;
}

bool Principal::may_call(std::string_view model) const {
  return models.empty() || std::find(models.begin(), models.end(), model) != models.end();
}

bool Principal::may(Permission permission, std::string_view in_project) const {
  return grants.in(in_project).contains(permission);
}

absl::Status Principal::check_may_give(PermissionSet set, std::string_view in_project) const {
  const auto missing = set.without(grants.in(in_project) | delegable);
  return missing.empty() ? absl::OkStatus() : beyond("give", missing);
}

absl::Status Principal::check_may_take(PermissionSet set, std::string_view in_project) const {
  const auto missing =
      set.without(grants.in(in_project) | delegable | PermissionSet{Permission::infer});
  return missing.empty() ? absl::OkStatus() : beyond("take away", missing);
}

}  // namespace plinth::governance
