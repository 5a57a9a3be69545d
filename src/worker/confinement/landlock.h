// Landlock (Linux 5.13, Documentation/userspace-api/landlock.rst): a process gives up rights on
// files.
#pragma once

#include <string>

#include "base/status.h"

namespace plinth::worker {

// From here on, for this thread and those that it starts: whatever changes files or folders fails
// with EACCES except beneath `folder`. Does nothing where the kernel has no Landlock.
absl::Status confine_writes(const std::string& folder);

}  // namespace plinth::worker
