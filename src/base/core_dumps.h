// A process's memory holds prompts, answers and keys: none of it is written out when it dies.
#pragma once

#include "base/status.h"

namespace plinth::base {

// For this process and those that it starts, whatever /proc/sys/kernel/core_pattern says.
absl::Status forbid_core_dumps();

}  // namespace plinth::base
