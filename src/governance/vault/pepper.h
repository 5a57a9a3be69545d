// secrets/pepper: what the hashes of API keys are keyed by.
#pragma once

#include <string>

#include "base/status.h"

namespace plinth::governance {

// That of a home, which is made on first use. FailedPrecondition where it is damaged, or its master
// key is not here.
absl::StatusOr<std::string> load_pepper(const std::string& home);

}  // namespace plinth::governance
