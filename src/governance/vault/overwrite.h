// Files whose bytes should be gone, not only their names.
#pragma once

#include <string>

#include "base/status.h"

namespace plinth::governance {

// Zeros over every byte, synced, then removed. A file system that copies on write, an SSD and a
// snapshot may keep the old bytes all the same. OK where there is no such file.
absl::Status overwrite_and_remove(const std::string& path);

}  // namespace plinth::governance
