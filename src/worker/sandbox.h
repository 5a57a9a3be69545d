// What a worker may still do once it touches a model file, which is hostile input.
#pragma once

#include "base/status.h"

namespace plinth::worker {

// From here on, for every thread of this process and for good: no new sockets, no programs, no
// writing opens, no other process' memory. What is not on the list of allowed system calls fails
// with EPERM. Unavailable where the kernel has no seccomp.
absl::Status enter_sandbox();

}  // namespace plinth::worker
