#include "api/role_matrix.h"

#include <fmt/format.h>

#include "api/routes.h"
#include "governance/built_in_roles.h"

namespace plinth::api {

namespace {

using governance::built_in_roles;
using governance::PermissionInfo;
using governance::PermissionSet;

constexpr std::string_view kOpening =
    R"(# Roles

Written by `plinth admin role matrix > docs/roles.md`; a test holds this page to the tables that
decide.

Whoever asks has permissions, and every route needs one: what no role gives, nobody may. A role
counts in the whole organization or in one project. In a project it never gives what counts for the
whole installation (marked *). Rights of a user are those of all their roles and of their groups'
roles together. Nobody can give another more than they have, nor take from somebody who has more;
the last owner of the organization stays.

**Keys.** A project's key is a User of its project. A service account's key is that too where the
account is a `member`, and Owner of the project where it is an `owner`. An admin key is an Owner
that calls no models; it may hand out inference. A key of a user never gives more than the user has
at the time, and ends with them. `scopes` (names of permissions) say instead, one by one, what a key
that is nobody's may do, and restrict what others may.

**OpenAI's words.** A user of the organization is `owner` where they have the role owner in it, else
`reader`: by itself that gives nothing, projects and groups do. A user of a project is `owner` where
they have that role there, else `member`; making somebody `member` gives the role user. Custom roles
are OpenAI's roles resource, with the permissions below.

)";

std::string_view mark(bool yes) { return yes ? "x" : ""; }

std::string role_titles() {
  std::string row;
  for (const auto& role : built_in_roles()) row += fmt::format(" {} |", role.id);
  return row;
}

std::string role_marks(governance::Permission permission) {
  std::string row;
  for (const auto& role : built_in_roles())
    row += fmt::format(" {} |", mark(role.permissions.contains(permission)));
  return row;
}

std::string rule(std::size_t columns) {
  std::string row = "|";
  for (std::size_t i = 0; i < columns; ++i) row += "---|";
  return row + "\n";
}

std::string_view where(const Route& route) {
  switch (scope_of(route)) {
    case Scope::organization:
      return "organization";
    case Scope::project:
      return "the path's project";
    case Scope::caller:
      return "the key's project";
  }
  return "";
}

}  // namespace

std::string role_matrix_markdown() {
  const auto roles = built_in_roles().size();
  std::string page(kOpening);
  page += "| role | | |\n" + rule(3);
  for (const auto& role : built_in_roles())
    page += fmt::format("| `{}` | {} | {} |\n", role.id, role.name, role.doc);

  const PermissionSet inference{governance::Permission::infer};
  const auto* user = governance::built_in_role(governance::kUser);
  page += "\n## Roles and permissions\n\n| permission | |" + role_titles() +
          " project key | admin key |\n" + rule(roles + 4);
  for (const PermissionInfo& row : governance::permissions()) {
    page += fmt::format("| `{}`{} | {} |{} {} | {} |\n", row.name,
                        row.organization_only ? " *" : "", row.doc, role_marks(row.permission),
                        mark(user->permissions.contains(row.permission)),
                        mark(!inference.contains(row.permission)));
  }

  page +=
      "\n## Roles and routes\n\n| route | needs | in |" + role_titles() + "\n" + rule(roles + 3);
  for (const auto& route : routes()) {
    if (route.needs.open()) continue;
    const auto permission = route.needs.permission();
    page += fmt::format("| {} `{}` | `{}` | {} |{}\n", route.method, route.pattern,
                        governance::info(permission).name, where(route), role_marks(permission));
  }
  page += "\nOpen to whoever reaches the port:";
  std::string_view comma = " ";
  for (const auto& route : routes()) {
    if (!route.needs.open()) continue;
    page += fmt::format("{}{} `{}`", comma, route.method, route.pattern);
    comma = ", ";
  }
  return page + ".\n";
}

}  // namespace plinth::api
