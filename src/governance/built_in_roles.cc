#include "governance/built_in_roles.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace plinth::governance {

namespace {

using enum Permission;

// The roles of Azure's OpenAI service and some of our own.
const std::vector<BuiltInRole>& table() {
  static const std::vector<BuiltInRole> roles{
      {kOwner, "Owner", "everything", all_permissions()},
      {"contributor", "Contributor", "manages everything and cannot call models",
       all_permissions().without({infer})},
      {"developer",
       "Developer",
       "calls models and manages fine-tuning, data sets and deployments: OpenAI Contributor",
       {infer, read_models, read_files, manage_files, read_projects, read_tuning, manage_tuning,
        manage_deployments}},
      {kUser, "User", "calls models and has files", {infer, read_models, read_files, manage_files}},
      {"usage_reader",
       "Usage reader",
       "sees what was used and what may be",
       {read_models, read_projects, read_limits, read_usage}},
      {"billing_reader",
       "Billing reader",
       "sees costs, budgets and prices",
       {read_projects, read_billing}},
      {"auditor",
       "Auditor",
       "reads the audit log and who may what; no content",
       {read_projects, read_people, read_audit}},
      {"safety_officer",
       "Safety officer",
       "content policies and approvals",
       {read_models, read_projects, manage_content, decide_approvals}},
      {"operator",
       "Operator",
       "the cluster, its models and their deployments",
       {read_models, read_projects, manage_deployments, operate}},
  };
  return roles;
}

}  // namespace

std::span<const BuiltInRole> built_in_roles() { return table(); }

const BuiltInRole* built_in_role(std::string_view id) {
  const auto& roles = table();
  const auto found =
      std::find_if(roles.begin(), roles.end(), [&](const auto& role) { return role.id == id; });
  return found == roles.end() ? nullptr : &*found;
}

absl::StatusOr<std::string_view> organization_role_of(std::string_view word) {
  if (word == kWireOwner) return kOwner;
  if (word == kWireReader) return std::string_view();
  return base::invalid_argument(
      fmt::format("Invalid role '{}': it is owner or reader in an organization.", word));
}

absl::StatusOr<std::string_view> project_role_of(std::string_view word) {
  if (word == kWireOwner) return kOwner;
  if (word == kWireMember) return kUser;
  return base::invalid_argument(
      fmt::format("Invalid role '{}': it is owner or member in a project.", word));
}

}  // namespace plinth::governance
