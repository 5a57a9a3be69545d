#include "governance/permission.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/json.h"

namespace plinth::governance {

namespace {

constexpr bool kOrganizationOnly = true;

constexpr std::array kPermissions{
    PermissionInfo{Permission::infer, "infer", "call models"},
    PermissionInfo{Permission::read_models, "models.read", "see which models there are"},
    PermissionInfo{Permission::read_files, "files.read", "see files and what is in them"},
    PermissionInfo{Permission::manage_files, "files.manage", "upload and delete files"},
    PermissionInfo{Permission::read_tuning, "tuning.read", "see fine-tuning jobs"},
    PermissionInfo{Permission::manage_tuning, "tuning.manage",
                   "run fine-tuning jobs, delete tuned models"},
    PermissionInfo{Permission::manage_deployments, "deployments.manage", "deployments of models"},
    PermissionInfo{Permission::read_projects, "projects.read", "see projects"},
    PermissionInfo{Permission::manage_projects, "projects.manage",
                   "make, rename and archive projects"},
    PermissionInfo{Permission::read_people, "people.read", "see users, groups, roles and invites"},
    PermissionInfo{Permission::manage_people, "people.manage",
                   "invite and remove people, say who has which role"},
    PermissionInfo{Permission::manage_keys, "keys.manage", "API keys and service accounts"},
    PermissionInfo{Permission::read_limits, "limits.read", "see rate limits"},
    PermissionInfo{Permission::manage_limits, "limits.manage", "set rate limits and budgets"},
    PermissionInfo{Permission::read_usage, "usage.read", "see what was used"},
    PermissionInfo{Permission::read_billing, "billing.read", "see costs, budgets and prices"},
    PermissionInfo{Permission::manage_prices, "prices.manage", "set prices", kOrganizationOnly},
    PermissionInfo{Permission::read_audit, "audit.read", "read the audit log", kOrganizationOnly},
    PermissionInfo{Permission::manage_content, "content.manage", "content policies"},
    PermissionInfo{Permission::decide_approvals, "approvals.decide",
                   "approve what waits for a decision"},
    PermissionInfo{Permission::operate, "operate", "the cluster and its models", kOrganizationOnly},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kPermissions.size(); ++i)
    if (static_cast<std::size_t>(kPermissions[i].permission) != i) return false;
  return true;
}
static_assert(in_order() && kPermissions.back().permission == Permission::operate,
              "a row for each permission");
static_assert(kPermissions.size() <= 32, "a set has 32 bits");

template <typename Wanted>
PermissionSet select(const Wanted& wanted) {
  PermissionSet set;
  for (const auto& row : kPermissions)
    if (wanted(row)) set = set | PermissionSet{row.permission};
  return set;
}

}  // namespace

std::span<const PermissionInfo> permissions() { return kPermissions; }

const PermissionInfo& info(Permission permission) {
  return kPermissions.at(static_cast<std::size_t>(permission));
}

PermissionSet all_permissions() {
  return select([](const PermissionInfo&) { return true; });
}

PermissionSet project_permissions() {
  return select([](const PermissionInfo& row) { return !row.organization_only; });
}

std::optional<Permission> parse_permission(std::string_view name) {
  const auto found = std::find_if(kPermissions.begin(), kPermissions.end(),
                                  [&](const auto& row) { return row.name == name; });
  return found == kPermissions.end() ? std::nullopt : std::optional(found->permission);
}

absl::StatusOr<PermissionSet> parse_permissions(const std::vector<std::string>& names) {
  PermissionSet set;
  for (const auto& name : names) {
    const auto permission = parse_permission(name);
    if (!permission) {
      const auto known = permission_names(all_permissions());
      return base::invalid_argument(
          fmt::format("'{}' is no permission; there are {}.", name, fmt::join(known, ", ")));
    }
    set = set | PermissionSet{*permission};
  }
  return set;
}

std::vector<std::string> permission_names(PermissionSet set) {
  std::vector<std::string> names;
  for (const auto& row : kPermissions)
    if (set.contains(row.permission)) names.emplace_back(row.name);
  return names;
}

std::string to_row(PermissionSet set) {
  base::json::array names;
  for (const auto& name : permission_names(set)) names.push_back(base::json::string(name));
  return base::to_json(names);
}

absl::StatusOr<PermissionSet> permissions_from_row(std::string_view text) {
  const auto parsed = base::parse_json(text);
  if (!parsed.ok() || !parsed->is_array())
    return base::data_loss("[roles] permissions are no list");
  PermissionSet set;
  for (const auto& name : parsed->get_array()) {
    const auto* string = name.if_string();
    const auto permission = string == nullptr ? std::nullopt : parse_permission(*string);
    if (!permission) return base::data_loss("[roles] unknown permission " + base::to_json(name));
    set = set | PermissionSet{*permission};
  }
  return set;
}

}  // namespace plinth::governance
