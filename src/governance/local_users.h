// People whose passwords we keep ourselves, for installations without an identity provider.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "governance/identity.h"
#include "governance/passwords.h"
#include "governance/random_bytes.h"
#include "governance/sign_in_throttle.h"

namespace plinth::governance {

// The issuer of their identities: no provider's, which are URLs.
inline constexpr std::string_view kLocalIssuer = "local";

struct LocalUserRow {
  std::string name;  // lower case
  std::string password_phc;
  std::vector<std::string> roles;
  bool disabled = false;
};

// Where rows are kept. Implementations are thread-safe.
class LocalUserRows {
 public:
  virtual ~LocalUserRows() = default;
  // NotFound where there is none.
  virtual absl::StatusOr<LocalUserRow> find(const std::string& name) = 0;
  // AlreadyExists where the name is taken.
  virtual absl::Status insert(const LocalUserRow& row) = 0;
  // Replaces the password if it still is `expected_phc`, else changes nothing and says Aborted.
  virtual absl::Status replace_password(const std::string& name, const std::string& expected_phc,
                                        const std::string& phc) = 0;
};

// Lower case; InvalidArgument unless 1 to kAccountNameBytesMax of letters, digits and . _ - @ +.
absl::StatusOr<std::string> account_name(std::string_view name);

struct LocalUsersOptions {
  PasswordCost cost;
  // password_fits; tests count its calls.
  std::function<absl::StatusOr<bool>(std::string_view password, std::string_view phc)> fits =
      password_fits;
};

// Thread-safe. At most kPasswordChecksAtOnce passwords are hashed at once; past it calls are
// refused as Unavailable.
class LocalUsers {
 public:
  // `rows` and `throttle` outlive it.
  static absl::StatusOr<std::unique_ptr<LocalUsers>> open(LocalUserRows& rows,
                                                          SignInThrottle& throttle,
                                                          RandomBytes random,
                                                          LocalUsersOptions options = {});
  ~LocalUsers();

  // Unauthenticated, with the same words and after the same work, for a wrong password, an unknown
  // name and a disabled account. ResourceExhausted while the throttle says to wait. A hash of
  // another cost is made anew.
  absl::StatusOr<Identity> sign_in(std::string_view name, std::string_view password,
                                   std::string_view source);
  // InvalidArgument where check_new_password() or account_name() refuses; AlreadyExists.
  absl::Status create(std::string_view name, std::string_view password,
                      const std::vector<std::string>& roles);
  // The caller ends the user's sessions, too.
  absl::Status set_password(std::string_view name, std::string_view password);

 private:
  struct Impl;
  explicit LocalUsers(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::governance
