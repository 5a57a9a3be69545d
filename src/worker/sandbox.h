// What a process may still do once it touches a model file or training data, which are hostile
// input.
#pragma once

#include <string>

#include "base/status.h"

namespace plinth::worker {

// From here on, for every thread of this process and for good: no new sockets, no programs, no
// writing opens, no other process' memory. What is not on the list of allowed system calls fails
// with EPERM. Unavailable where the kernel has no seccomp.
absl::Status enter_sandbox();

// The same for a process that makes files: it may create, write, rename and remove them beneath
// `folder`, an existing one. Anywhere else it cannot where the kernel has Landlock (Linux 5.13);
// before that only its user's rights say where. Call it before the first other thread starts.
absl::Status enter_sandbox_of(const std::string& folder);

}  // namespace plinth::worker
