#include "governance/invites.h"

#include <fmt/format.h>

#include "absl/strings/escaping.h"
#include "base/json.h"
#include "governance/email.h"
#include "governance/limits.h"
#include "governance/sign_in/encoding.h"
#include "governance/sign_in/keyed_hash.h"

namespace plinth::governance {

namespace {

// 256 bits: nobody guesses one, so that a plain hash of it keeps it secret.
constexpr std::size_t kTokenBytes = 32;
constexpr std::string_view kTokenPrefix = "inv-plinth-";

std::string token_hash(std::string_view token) { return absl::BytesToHexString(sha256(token)); }

std::string to_json(const std::vector<std::pair<std::string, std::string>>& projects) {
  base::json::array out;
  for (const auto& [id, role] : projects)
    out.push_back(base::json::object{{"id", id}, {"role", role}});
  return base::to_json(out);
}

}  // namespace

std::string_view invite_status(const store::InviteRow& row, std::int64_t now_s) {
  if (row.accepted_s) return "accepted";
  return now_s >= row.expires_s ? "expired" : "pending";
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> projects_of(
    const store::InviteRow& row) {
  std::vector<std::pair<std::string, std::string>> projects;
  ASSIGN_OR_RETURN(const auto parsed, base::parse_json(row.projects));
  const auto* list = parsed.if_array();
  if (list == nullptr) return base::data_loss("[invites] projects are no list");
  for (const auto& entry : *list) {
    const auto* object = entry.if_object();
    const auto* id = object == nullptr ? nullptr : object->if_contains("id");
    const auto* role = object == nullptr ? nullptr : object->if_contains("role");
    if (id == nullptr || role == nullptr || !id->is_string() || !role->is_string())
      return base::data_loss("[invites] a project of the list is none");
    projects.emplace_back(std::string(id->get_string()), std::string(role->get_string()));
  }
  return projects;
}

Invites::Invites(store::Database& database, People& people, const base::Clock& clock,
                 RandomBytes random)
    : people_(people),
      clock_(clock),
      random_(std::move(random)),
      rows_(database),
      tenants_(database) {}

absl::Status Invites::check_may_give(const Principal& who, const InviteSpec& spec) {
  const auto check = [&](std::string_view role, const std::string& project) -> absl::Status {
    if (role.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const auto known,
                     people_.roles().find({who.organization, project}, std::string(role)));
    return who.check_may_give(known.permissions, project);
  };
  ASSIGN_OR_RETURN(const auto role, organization_role_of(spec.role));
  RETURN_IF_ERROR(check(role, ""));
  if (spec.projects.size() > kInviteProjectsMax) {
    return base::invalid_argument(
        fmt::format("An invite names at most {} projects.", kInviteProjectsMax));
  }
  for (const auto& [id, word] : spec.projects) {
    ASSIGN_OR_RETURN(const auto project_role, project_role_of(word));
    const auto project = tenants_.project(id);
    if (absl::IsNotFound(project.status()) ||
        (project.ok() && project->organization != who.organization)) {
      return base::invalid_argument("No such project: " + id);
    }
    RETURN_IF_ERROR(project.status());
    if (project->archived_s) return base::invalid_argument("The project " + id + " is archived.");
    RETURN_IF_ERROR(check(project_role, id));
  }
  return absl::OkStatus();
}

absl::StatusOr<NewInvite> Invites::create(const Principal& who, const InviteSpec& spec) {
  RETURN_IF_ERROR(check_email(spec.email));
  RETURN_IF_ERROR(check_may_give(who, spec));
  ASSIGN_OR_RETURN(const auto secret, random_(kTokenBytes));
  NewInvite made;
  made.token = fmt::format("{}{}", kTokenPrefix, base64url(secret));
  auto& row = made.row;
  ASSIGN_OR_RETURN(row.id, people_.new_id("invite-"));
  row.organization = who.organization;
  row.email = spec.email;
  row.role = spec.role;
  row.projects = to_json(spec.projects);
  row.token_hash = token_hash(made.token);
  row.created_s = clock_.unix_seconds();
  row.expires_s = row.created_s + std::chrono::seconds(kInviteTime).count();
  const auto status = rows_.insert(row);
  if (absl::IsAlreadyExists(status)) return base::invalid_argument(base::message(status));
  RETURN_IF_ERROR(status);
  return made;
}

absl::Status Invites::remove(const Principal& who, const std::string& id) {
  ASSIGN_OR_RETURN(const auto row, rows_.find(who.organization, id));
  if (row.accepted_s)
    return base::invalid_argument("The invite was accepted: remove the user instead.");
  return rows_.remove(who.organization, id);
}

absl::StatusOr<store::PersonRow> Invites::join(const store::InviteRow& invite,
                                               const Joining& joining) {
  std::vector<std::pair<std::string, std::string>> roles;
  ASSIGN_OR_RETURN(const auto role, organization_role_of(invite.role));
  if (!role.empty()) roles.emplace_back("", role);
  ASSIGN_OR_RETURN(const auto projects, projects_of(invite));
  for (const auto& [id, word] : projects) {
    const auto project = tenants_.project(id);
    // One that is gone or archived by now is no reason to keep somebody out.
    if (absl::IsNotFound(project.status()) || (project.ok() && project->archived_s)) continue;
    RETURN_IF_ERROR(project.status());
    ASSIGN_OR_RETURN(const auto project_role, project_role_of(word));
    roles.emplace_back(id, project_role);
  }
  store::PersonRow person;
  ASSIGN_OR_RETURN(person.id, people_.new_id("user-"));
  person.organization = invite.organization;
  person.email = invite.email;
  person.name = joining.name;
  person.issuer = joining.issuer;
  person.subject = joining.subject;
  person.password_phc = joining.password_phc;
  person.added_s = clock_.unix_seconds();
  const auto status = rows_.accept(invite.id, person, roles, person.added_s);
  if (absl::IsAlreadyExists(status))
    return base::invalid_argument("There is a user of this address or identity already.");
  RETURN_IF_ERROR(status);
  return person;
}

absl::StatusOr<store::PersonRow> Invites::accept(std::string_view token, const Joining& joining) {
  const auto refused = absl::UnauthenticatedError(
      "The invite is unknown, was used or has expired: ask for another one.");
  const auto invite = rows_.find_by_token(token_hash(token));
  if (absl::IsNotFound(invite.status())) return refused;
  RETURN_IF_ERROR(invite.status());
  auto person = join(*invite, joining);
  if (absl::IsNotFound(person.status())) return refused;
  return person;
}

absl::StatusOr<store::PersonRow> Invites::accept_by_email(const std::string& organization,
                                                          const std::string& email,
                                                          const Joining& joining) {
  ASSIGN_OR_RETURN(const auto invite, rows_.find_open(organization, email, clock_.unix_seconds()));
  return join(invite, joining);
}

}  // namespace plinth::governance
