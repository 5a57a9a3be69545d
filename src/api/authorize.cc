#include "api/authorize.h"

#include <fmt/format.h>

namespace plinth::api {

namespace {

using governance::Principal;
using governance::Role;

// What the caller most likely took for what it is not.
std::string_view hint(const Principal& principal, Scope scope) {
  // Who signed in has no key that could be the wrong one.
  const bool somebody = !principal.user.empty() || !principal.service_account.empty();
  if (principal.key_id.empty() && somebody) return "";
  if (scope == Scope::caller && principal.role == Role::admin)
    return " Admin keys manage; a project's key calls models.";
  if (scope != Scope::caller && principal.role == Role::project)
    return " Administration takes an admin key.";
  return "";
}

}  // namespace

absl::Status authorize(const Principal& principal, const Route& route,
                       const std::vector<std::string>& parameters) {
  if (route.needs.open()) return absl::OkStatus();
  const auto permission = route.needs.permission();
  const auto scope = scope_of(route);
  const std::string project = scope == Scope::project
                                  ? parameters.at(*project_parameter(route.pattern))
                              : scope == Scope::caller ? principal.project
                                                       : "";
  if (principal.may(permission, project)) return absl::OkStatus();
  return absl::PermissionDeniedError(base::to_absl(fmt::format(
      "You have insufficient permissions for this operation. Missing permission: {}{}.{}",
      governance::info(permission).name,
      scope == Scope::project ? " in the project " + project : "", hint(principal, scope))));
}

}  // namespace plinth::api
