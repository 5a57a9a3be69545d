// Signing in, as one installation does it: access tokens and sign-ins of an identity provider,
// passwords of local users, and sessions (docs/decisions/0015).
//
//   if (auto known = sign_in.known_token(token)) ...       // on any thread
//   else ASSIGN_OR_RETURN(auto who, sign_in.by_token(token))  // may wait for the provider
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "governance/oidc.h"
#include "governance/principal.h"
#include "governance/sign_in/enrolment.h"
#include "store/person_store.h"

namespace plinth::governance {

struct SignInOptions {
  std::optional<OidcOptions> oidc;  // nothing: local users alone
  // How Fetch and Post reach the provider; of `oidc` alone.
  Fetch fetch = nullptr;
  Post post = nullptr;
  std::string provider_name = {};  // as people call it
  EnrolmentOptions enrolment = {};
};

// What a role of the settings means: "owner" in the organization, "proj_1:user" in a project.
struct MappedRole {
  std::string project;  // "" = the organization
  std::string role;     // its id
};
// InvalidArgument where the text is neither.
absl::StatusOr<MappedRole> parse_mapped_role(std::string_view text);

// Somebody who has just signed in.
struct NewSession {
  std::string id;  // for the cookie; never stored
  store::PersonRow person;
};

// Everything that a sign-in belongs to; outlives it.
struct SignInParts {
  store::Database& database;
  People& people;
  Invites& invites;
  AuditLog& audit;
  const base::Clock& clock;
};

// Thread-safe. What may wait (for the provider, the database, or a hash) says so: it is for threads
// that may. Refusals are Unauthenticated; PermissionDenied where who it is is known, and is nobody
// here; Unavailable where it could not be found out.
class SignIn {
 public:
  // `home` holds secrets/session_key, which is made on first use. InvalidArgument names what is
  // wrong with the options.
  static absl::StatusOr<std::unique_ptr<SignIn>> open(const std::string& home,
                                                      const SignInParts& parts,
                                                      SignInOptions options);
  ~SignIn();

  bool has_provider() const;
  const std::string& provider_name() const;  // "" where there is none

  // Who a token or a session is of, with all that their roles and groups give, and of no project.
  // Waits. Rights are as they were kPrincipalCacheMax ago at most; forget() makes that now.
  absl::StatusOr<Principal> by_token(std::string_view token);
  absl::StatusOr<Principal> by_session(std::string_view id);
  // The same of what was asked a moment ago; never waits.
  std::optional<Principal> known_token(std::string_view token) const;
  std::optional<Principal> known_session(std::string_view id) const;
  void forget();
  // Whether a key of the provider's that is here signed a token: what by_token() takes for good so
  // far. False where that key is not here. Unauthenticated where by_token() would say so. Never
  // waits.
  absl::StatusOr<bool> glance(std::string_view token);

  // At the provider, in a browser. All wait. FailedPrecondition where there is none.
  absl::StatusOr<SignInStart> begin_at_provider(const std::string& redirect_uri);
  absl::StatusOr<NewSession> finish_at_provider(const SignInReturn& back, std::string_view source);
  // By password; ResourceExhausted while the throttle says to wait. Waits.
  absl::StatusOr<NewSession> by_password(std::string_view name, std::string_view password,
                                         std::string_view source);
  // Ends a session. Unauthenticated where there was none. Waits.
  absl::Status sign_out(std::string_view id, std::string_view source);
  // A new password for who has the session, and a new session instead of all that they had. Waits.
  absl::StatusOr<NewSession> change_password(std::string_view id, std::string_view current,
                                             std::string_view fresh, std::string_view source);
  // Of the first password of a user, or another one. InvalidArgument where the password or the
  // address will not do. Waits.
  static absl::StatusOr<std::string> new_password_hash(const store::PersonRow& person,
                                                       std::string_view password);
  // Sets it by its hash; ends the user's sessions. The caller has asked whether this may be, and
  // records it.
  absl::Status set_password(const store::PersonRow& person, const std::string& hash);

 private:
  struct Impl;
  explicit SignIn(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::governance
