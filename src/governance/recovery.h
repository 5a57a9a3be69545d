// A way back in for an administrator who lost every key: whoever is the user that the service runs
// as, on its machine, may have a new admin key. They could read its database and secrets anyway;
// this way it is on record.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "governance/governance.h"

namespace plinth::governance {

struct RecoveryRequest {
  std::string name = "recovered";  // of the key
  std::string organization = kDefaultTenant;
  std::optional<std::int64_t> lifetime_s;  // nothing = for good

  bool operator==(const RecoveryRequest&) const = default;
};
// As it travels over the service's socket. InvalidArgument names what is wrong with a text.
std::string to_text(const RecoveryRequest& request);
absl::StatusOr<RecoveryRequest> parse_recovery(std::string_view text);

struct RecoveredKey {
  std::string id, key;
  std::optional<std::int64_t> expires_unix_s;
};
std::string to_text(const absl::StatusOr<RecoveredKey>& answer);
// The error that the text says, or what was made.
absl::StatusOr<RecoveredKey> parse_recovered(std::string_view text);

// Makes the key, on record before this returns: `uid` is the local user's. InvalidArgument for
// bounds, NotFound where there is no such organization.
absl::StatusOr<RecoveredKey> recover_admin_key(Governance& governance,
                                               const RecoveryRequest& request, uid_t uid);

// What a service answers to a text of its socket.
std::string answer_recovery(Governance& governance, uid_t uid, std::string_view question);

}  // namespace plinth::governance
