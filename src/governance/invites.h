// Invites: a secret that somebody gets by letter and joins an organization with.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "governance/people.h"
#include "store/invite_store.h"
#include "store/tenant_store.h"

namespace plinth::governance {

struct InviteSpec {
  std::string email;
  std::string role = "reader";  // "owner" or "reader"
  // (project, "owner" or "member")
  std::vector<std::pair<std::string, std::string>> projects = {};
};

struct NewInvite {
  std::string token;  // never stored: the caller shows it once
  store::InviteRow row;
};

// How somebody joins: who signs in as them, where that is known.
struct Joining {
  std::string name;
  std::optional<std::string> issuer = {}, subject = {}, password_phc = {};
};

// "pending", "accepted" or "expired".
std::string_view invite_status(const store::InviteRow& row, std::int64_t now_s);
// As invites keep them.
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> projects_of(
    const store::InviteRow& row);

// Thread-safe. An invite is good for kInviteTime and once.
class Invites {
 public:
  // The references outlive it.
  Invites(store::Database& database, People& people, const base::Clock& clock, RandomBytes random);

  store::InviteStore& rows() { return rows_; }  // to read

  // InvalidArgument for an address that is none, belongs to a user or is invited already, and for
  // projects that are none; PermissionDenied where `who` has less than the invite gives.
  absl::StatusOr<NewInvite> create(const Principal& who, const InviteSpec& spec);
  // InvalidArgument where it was accepted.
  absl::Status remove(const Principal& who, const std::string& id);
  // Makes the user. Unauthenticated for a token that is unknown, used up or expired.
  absl::StatusOr<store::PersonRow> accept(std::string_view token, const Joining& joining);
  // The same for somebody whose provider says that the address is theirs. NotFound where no invite
  // waits for it.
  absl::StatusOr<store::PersonRow> accept_by_email(const std::string& organization,
                                                   const std::string& email,
                                                   const Joining& joining);

 private:
  absl::Status check_may_give(const Principal& who, const InviteSpec& spec);
  absl::StatusOr<store::PersonRow> join(const store::InviteRow& invite, const Joining& joining);

  People& people_;
  const base::Clock& clock_;
  const RandomBytes random_;
  store::InviteStore rows_;
  store::TenantStore tenants_;
};

}  // namespace plinth::governance
