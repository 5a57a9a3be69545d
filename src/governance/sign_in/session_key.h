// The key under which ids of sessions are hashed.
#pragma once

#include <string>

#include "base/status.h"

namespace plinth::governance {

// That of `home`/secrets/session_key (0600), which is made on first use. Gateways that share a
// database need the same one. FailedPrecondition where it is damaged.
absl::StatusOr<std::string> load_session_key(const std::string& home);

}  // namespace plinth::governance
