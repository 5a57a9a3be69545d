#include "governance/sign_in/mapped_rights.h"

#include "base/log.h"
#include "governance/sign_in.h"

namespace plinth::governance {

namespace {

void merge(const Grants& more, Grants& grants) {
  grants.add("", more.organization);
  for (const auto& [project, set] : more.projects) grants.add(project, set);
}

}  // namespace

absl::StatusOr<MappedRole> parse_mapped_role(std::string_view text) {
  MappedRole mapped;
  const auto colon = text.find(':');
  const bool in_project = colon != std::string_view::npos;
  if (in_project) mapped.project = std::string(text.substr(0, colon));
  mapped.role = std::string(in_project ? text.substr(colon + 1) : text);
  if (!mapped.role.empty() && mapped.role.find(':') == std::string::npos &&
      in_project != mapped.project.empty()) {
    return mapped;
  }
  return base::invalid_argument("\"" + std::string(text) + "\" is neither ROLE nor PROJECT:ROLE");
}

absl::StatusOr<Grants> mapped_rights(People& people, const std::string& organization,
                                     const std::vector<std::string>& roles,
                                     const std::vector<std::string>& groups) {
  Grants grants;
  for (const auto& name : roles) {
    ASSIGN_OR_RETURN(const auto mapped, parse_mapped_role(name));
    const auto role = people.roles().find({organization, mapped.project}, mapped.role);
    if (absl::IsNotFound(role.status())) {
      LOG(warn, "auth.oidc_role_names: there is no role {}", name);
      continue;
    }
    RETURN_IF_ERROR(role.status());
    grants.add(mapped.project, role->permissions);
  }
  for (const auto& id : groups) {
    const auto group = people.groups().find(organization, id);
    if (absl::IsNotFound(group.status())) {
      LOG(warn, "auth.oidc_group_names: there is no group {}", id);
      continue;
    }
    RETURN_IF_ERROR(group.status());
    ASSIGN_OR_RETURN(const auto assigned, people.assignments().roles_of(store::group_subject(id)));
    ASSIGN_OR_RETURN(const auto given, people.roles().grants_of(organization, assigned));
    merge(given, grants);
  }
  return grants;
}

absl::Status keep_open_projects(store::TenantStore& tenants, const std::string& organization,
                                Grants& grants) {
  for (auto it = grants.projects.begin(); it != grants.projects.end();) {
    const auto project = tenants.project(it->first);
    if (!project.ok() && !absl::IsNotFound(project.status())) return project.status();
    const bool open = project.ok() && !project->archived_s && project->organization == organization;
    it = open ? std::next(it) : grants.projects.erase(it);
  }
  return absl::OkStatus();
}

}  // namespace plinth::governance
