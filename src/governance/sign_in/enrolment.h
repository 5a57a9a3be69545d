// Who of the organization it is that an identity provider names.
#pragma once

#include <string>

#include "governance/audit_log.h"
#include "governance/identity.h"
#include "governance/invites.h"
#include "governance/people.h"

namespace plinth::governance {

struct EnrolmentOptions {
  std::string organization = "default";
  // Whoever the provider vouches for becomes a user, without a role.
  bool create_people = false;
  // A user without an identity whose address the provider says is somebody's is them from then on.
  bool link_people = false;
  // The provider lets nobody have an address that is not theirs, though it does not say of each
  // that it was verified (Entra ID within one tenant).
  bool trust_email = false;
};

// Thread-safe.
class Enrolment {
 public:
  // The references outlive it.
  Enrolment(store::Database& database, People& people, Invites& invites, AuditLog& audit,
            EnrolmentOptions options)
      : database_(database),
        people_(people),
        invites_(invites),
        audit_(audit),
        options_(std::move(options)) {}

  // The user of this identity; who was unknown so far comes in by an open invite for their verified
  // address, or as the options say, on record. PermissionDenied for all others, and for who is
  // disabled.
  absl::StatusOr<store::PersonRow> person_of(const Identity& who);

 private:
  absl::StatusOr<store::PersonRow> enrol(const Identity& who);
  absl::StatusOr<store::PersonRow> link(const Identity& who, const std::string& email);
  absl::Status record(std::string_view type, const store::PersonRow& person);

  store::Database& database_;
  People& people_;
  Invites& invites_;
  AuditLog& audit_;
  const EnrolmentOptions options_;
};

}  // namespace plinth::governance
