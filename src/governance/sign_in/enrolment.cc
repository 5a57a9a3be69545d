#include "governance/sign_in/enrolment.h"

#include "base/log.h"
#include "governance/limits.h"

namespace plinth::governance {

namespace {

constexpr std::size_t kShownNameMax = 256;

absl::Status unknown() {
  return absl::PermissionDeniedError(
      "Your identity provider knows you, and this service does not: ask its administrator for an "
      "invite.");
}

std::string shown_name(const Identity& who) {
  const auto& name = who.name.empty() ? who.email : who.name;
  return name.size() <= kShownNameMax ? name : "";
}

}  // namespace

absl::StatusOr<store::PersonRow> Enrolment::person_of(const Identity& who) {
  auto person = people_.users().find_by_identity(who.issuer, who.subject);
  if (absl::IsNotFound(person.status())) {
    person = enrol(who);
    // Two requests of somebody new at once: the other one was faster.
    if (absl::IsInvalidArgument(person.status()) || absl::IsAlreadyExists(person.status())) {
      LOG(info, "[sign-in] nobody was enrolled: {}", person.status().ToString());
      person = people_.users().find_by_identity(who.issuer, who.subject);
    }
    if (absl::IsNotFound(person.status())) return unknown();
  }
  RETURN_IF_ERROR(person.status());
  if (person->organization != options_.organization) return unknown();
  if (person->disabled_s) return absl::PermissionDeniedError("This user is disabled.");
  return person;
}

absl::StatusOr<store::PersonRow> Enrolment::enrol(const Identity& who) {
  const bool verified = !who.email.empty() && (who.email_verified || options_.trust_email);
  const std::string email = verified ? who.email : "";
  absl::StatusOr<store::PersonRow> made = unknown();
  RETURN_IF_ERROR(database_.transaction("enrol a user", [&](store::Sql&) -> absl::Status {
    made = base::not_found("nobody");
    std::string_view how = "invite.accepted";
    Joining joining;
    joining.name = shown_name(who);
    joining.issuer = who.issuer;
    joining.subject = who.subject;
    if (verified) made = invites_.accept_by_email(options_.organization, email, joining);
    if (absl::IsNotFound(made.status()) && verified && options_.link_people) {
      how = "user.updated";
      made = link(who, email);
    }
    if (absl::IsNotFound(made.status()) && options_.create_people) {
      how = "user.added";
      store::PersonRow row;
      row.organization = options_.organization;
      if (verified) row.email = email;
      row.name = joining.name;
      row.issuer = who.issuer;
      row.subject = who.subject;
      made = people_.add(row);
    }
    if (!made.ok()) return made.status();
    return record(how, *made);
  }));
  return made;
}

absl::StatusOr<store::PersonRow> Enrolment::link(const Identity& who, const std::string& email) {
  ASSIGN_OR_RETURN(auto person, people_.users().find_by_email(options_.organization, email));
  // Nobody becomes somebody else.
  if (person.issuer) return base::not_found("The address belongs to another identity.");
  RETURN_IF_ERROR(people_.users().set_identity(person.id, who.issuer, who.subject));
  person.issuer = who.issuer;
  person.subject = who.subject;
  return person;
}

absl::Status Enrolment::record(std::string_view type, const store::PersonRow& person) {
  AuditEvent event;
  event.type = type;
  event.actor.type = "session";
  event.actor.id = person.id;
  event.actor.email = person.email.value_or("");
  event.organization = person.organization;
  event.resources = {person.id};
  event.details = {{"id", person.id}, {"data", {{"identity_provider", *person.issuer}}}};
  return audit_.append(event);
}

}  // namespace plinth::governance
