// One process holds a home; the kernel lets go when it dies.
#pragma once

#include <string>

#include "base/file.h"
#include "base/status.h"

namespace plinth {

// Makes the home where there is none. FailedPrecondition names the process that holds it.
absl::StatusOr<base::UniqueFd> lock_home(const std::string& home);

}  // namespace plinth
