// The data folder: --home, else $PLINTH_HOME, else $XDG_DATA_HOME/plinth, else
// ~/.local/share/plinth.
#pragma once

#include <string>

#include "base/status.h"

namespace plinth {

// FailedPrecondition where none of them is set.
absl::StatusOr<std::string> find_home(const std::string& flag);

}  // namespace plinth
