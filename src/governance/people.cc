#include "governance/people.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "governance/email.h"
#include "governance/limits.h"

namespace plinth::governance {

namespace {

constexpr std::size_t kIdBytes = 12;

bool has(const std::vector<store::AssignmentRow>& roles, std::string_view project,
         std::string_view role) {
  return std::any_of(roles.begin(), roles.end(),
                     [&](const auto& one) { return one.project == project && one.role == role; });
}

std::vector<store::AssignmentRow> in_project(const std::vector<store::AssignmentRow>& roles,
                                             std::string_view project) {
  std::vector<store::AssignmentRow> out;
  for (const auto& one : roles)
    if (one.project == project) out.push_back(one);
  return out;
}

}  // namespace

std::string_view organization_word(const std::vector<store::AssignmentRow>& roles) {
  return has(roles, "", kOwner) ? kWireOwner : kWireReader;
}

std::string_view project_word(const std::vector<store::AssignmentRow>& roles,
                              std::string_view project) {
  return has(roles, project, kOwner) ? kWireOwner : kWireMember;
}

People::People(store::Database& database, const base::Clock& clock, RandomBytes random,
               std::function<void()> changed)
    : clock_(clock),
      random_(std::move(random)),
      changed_(std::move(changed)),
      users_(database),
      groups_(database),
      rows_(database),
      roles_(database, changed_) {}

absl::StatusOr<std::string> People::new_id(std::string_view prefix) const {
  ASSIGN_OR_RETURN(const auto bytes, random_(kIdBytes));
  return fmt::format("{}{}", prefix, absl::BytesToHexString(bytes));
}

absl::StatusOr<Grants> People::permissions_of(const std::string& organization,
                                              const std::string& user) {
  const auto row = users_.find(organization, user);
  if (absl::IsNotFound(row.status())) return Grants();
  RETURN_IF_ERROR(row.status());
  if (row->disabled_s) return Grants();
  return roles_.permissions_of(organization, user);
}

absl::StatusOr<PermissionSet> People::permissions_of(const std::string& organization,
                                                     const std::string& user,
                                                     std::string_view project) {
  ASSIGN_OR_RETURN(const auto grants, permissions_of(organization, user));
  return grants.in(project);
}

absl::StatusOr<store::PersonRow> People::add(store::PersonRow row) {
  if (row.email) RETURN_IF_ERROR(check_email(*row.email));
  ASSIGN_OR_RETURN(row.id, new_id("user-"));
  row.added_s = clock_.unix_seconds();
  const auto status = users_.insert(row);
  if (absl::IsAlreadyExists(status))
    return base::invalid_argument("There is a user of this address or identity already.");
  RETURN_IF_ERROR(status);
  return row;
}

absl::Status People::done(const absl::Status& status) const {
  if (status.ok()) changed_();
  return status;
}

absl::Status People::check_may_take(const Principal& who,
                                    const std::vector<store::AssignmentRow>& assignments) {
  ASSIGN_OR_RETURN(const auto grants, roles_.grants_of(who.organization, assignments));
  RETURN_IF_ERROR(who.check_may_take(grants.organization, ""));
  for (const auto& [project, set] : grants.projects)
    RETURN_IF_ERROR(who.check_may_take(set, project));
  return absl::OkStatus();
}

absl::Status People::disable(const Principal& who, const std::string& user) {
  ASSIGN_OR_RETURN(const auto roles, rows_.all_roles_of_user(user));
  RETURN_IF_ERROR(check_may_take(who, roles));
  return done(users_.disable(who.organization, user, clock_.unix_seconds()));
}

absl::Status People::enable(const Principal& who, const std::string& user) {
  // Gives back what they had.
  ASSIGN_OR_RETURN(const auto grants, roles_.permissions_of(who.organization, user));
  RETURN_IF_ERROR(who.check_may_give(grants.organization, ""));
  for (const auto& [project, set] : grants.projects)
    RETURN_IF_ERROR(who.check_may_give(set, project));
  return done(users_.enable(who.organization, user));
}

absl::Status People::remove(const Principal& who, const std::string& user) {
  ASSIGN_OR_RETURN(const auto roles, rows_.all_roles_of_user(user));
  RETURN_IF_ERROR(check_may_take(who, roles));
  return done(users_.remove(who.organization, user, clock_.unix_seconds()));
}

absl::Status People::check_exists(const Principal& who, const store::Subject& subject) {
  if (subject.kind == "group") return groups_.find(who.organization, subject.id).status();
  return users_.find(who.organization, subject.id).status();
}

absl::Status People::change(const Principal& who, const store::Subject& subject,
                            const std::string& project, const std::vector<std::string>& take,
                            const std::string& add) {
  RETURN_IF_ERROR(check_exists(who, subject));
  const RoleScope scope{who.organization, project};
  for (const auto& role : take) {
    ASSIGN_OR_RETURN(const auto known, roles_.find(scope, role));
    RETURN_IF_ERROR(who.check_may_take(known.permissions, project));
  }
  if (!add.empty()) {
    ASSIGN_OR_RETURN(const auto known, roles_.find(scope, add));
    RETURN_IF_ERROR(who.check_may_give(known.permissions, project));
    ASSIGN_OR_RETURN(const auto present, rows_.roles_of(subject));
    if (present.size() >= kRolesOfSubjectMax) {
      return base::invalid_argument(fmt::format("The {} {} has {} roles, as many as there can be.",
                                                subject.kind, subject.id, present.size()));
    }
  }
  return done(rows_.change(who.organization, subject, project, take, add, clock_.unix_seconds()));
}

absl::Status People::give(const Principal& who, const store::Subject& subject,
                          const std::string& project, const std::string& role) {
  return change(who, subject, project, {}, role);
}

absl::Status People::take(const Principal& who, const store::Subject& subject,
                          const std::string& project, const std::string& role) {
  return change(who, subject, project, {role}, "");
}

absl::Status People::set_organization_word(const Principal& who, const std::string& user,
                                           std::string_view word) {
  ASSIGN_OR_RETURN(const auto wanted, organization_role_of(word));
  const auto subject = store::user_subject(user);
  ASSIGN_OR_RETURN(const auto direct, rows_.roles_of(subject));
  if (!wanted.empty()) return change(who, subject, "", {}, std::string(wanted));
  if (has(direct, "", kOwner)) RETURN_IF_ERROR(change(who, subject, "", {std::string(kOwner)}, ""));
  ASSIGN_OR_RETURN(const auto left, rows_.all_roles_of_user(user));
  if (organization_word(left) == word) return check_exists(who, subject);
  return base::invalid_argument("The user is an owner through a group: remove them from it.");
}

absl::Status People::set_project_word(const Principal& who, const std::string& user,
                                      const std::string& project, std::string_view word) {
  ASSIGN_OR_RETURN(const auto wanted, project_role_of(word));
  const auto other = wanted == kOwner ? kUser : kOwner;
  const auto subject = store::user_subject(user);
  ASSIGN_OR_RETURN(const auto direct, rows_.roles_of(subject));
  std::vector<std::string> take;
  if (has(direct, project, other)) take.emplace_back(other);
  return change(who, subject, project, take, std::string(wanted));
}

absl::Status People::remove_from_project(const Principal& who, const store::Subject& subject,
                                         const std::string& project) {
  ASSIGN_OR_RETURN(const auto direct, rows_.roles_of(subject));
  RETURN_IF_ERROR(check_may_take(who, in_project(direct, project)));
  return done(rows_.remove_member(project, subject));
}

absl::StatusOr<store::GroupRow> People::create_group(const Principal& who,
                                                     const std::string& name) {
  store::GroupRow row;
  ASSIGN_OR_RETURN(row.id, new_id("group_"));
  row.organization = who.organization;
  row.name = name;
  row.created_s = clock_.unix_seconds();
  RETURN_IF_ERROR(groups_.insert(row));
  return row;
}

absl::Status People::rename_group(const Principal& who, const std::string& group,
                                  const std::string& name) {
  return groups_.rename(who.organization, group, name);
}

absl::Status People::remove_group(const Principal& who, const std::string& group) {
  ASSIGN_OR_RETURN(const auto roles, rows_.roles_of(store::group_subject(group)));
  RETURN_IF_ERROR(check_may_take(who, roles));
  return done(groups_.remove(who.organization, group));
}

absl::Status People::add_to_group(const Principal& who, const std::string& group,
                                  const std::string& user) {
  RETURN_IF_ERROR(check_exists(who, store::group_subject(group)));
  RETURN_IF_ERROR(check_exists(who, store::user_subject(user)));
  ASSIGN_OR_RETURN(const auto roles, rows_.roles_of(store::group_subject(group)));
  ASSIGN_OR_RETURN(const auto grants, roles_.grants_of(who.organization, roles));
  RETURN_IF_ERROR(who.check_may_give(grants.organization, ""));
  for (const auto& [project, set] : grants.projects)
    RETURN_IF_ERROR(who.check_may_give(set, project));
  return done(groups_.add_member(group, user, clock_.unix_seconds()));
}

absl::Status People::remove_from_group(const Principal& who, const std::string& group,
                                       const std::string& user) {
  RETURN_IF_ERROR(check_exists(who, store::group_subject(group)));
  ASSIGN_OR_RETURN(const auto roles, rows_.roles_of(store::group_subject(group)));
  RETURN_IF_ERROR(check_may_take(who, roles));
  return done(groups_.remove_member(who.organization, group, user));
}

}  // namespace plinth::governance
