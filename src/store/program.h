// Programs of the database's own makers, run to their end.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace plinth::store {

// Runs `words[0]`, found in PATH, with further variables of the environment. FailedPrecondition
// where it is not installed; Internal with its last words where it fails.
absl::Status run_program(const std::vector<std::string>& words,
                         const std::vector<std::pair<std::string, std::string>>& variables);

}  // namespace plinth::store
