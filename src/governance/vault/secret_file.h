// Files of secrets/ other than the master key, which seals them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "governance/master_key.h"

namespace plinth::governance {

// secrets/master_key of a home, made where it is missing. A link is followed: the key may lie on
// another file system than what it protects.
absl::StatusOr<std::unique_ptr<MasterKey>> open_home_master_key(const std::string& home,
                                                                const RandomBytes& random);

// secrets/`name`. One that lies there plain, as older versions wrote it, is sealed in its place.
// NotFound where there is none.
absl::StatusOr<std::string> read_secret(const std::string& home, const std::string& name);
// Mode 0600, durable.
absl::Status write_secret(const std::string& home, const std::string& name, std::string_view plain);

// Names of those that another generation than `master`'s current one sealed.
absl::StatusOr<std::vector<std::string>> stale_secrets(const std::string& home,
                                                       const MasterKey& master);
absl::Status rewrap_secret(const std::string& home, const std::string& name,
                           const MasterKey& master);

}  // namespace plinth::governance
