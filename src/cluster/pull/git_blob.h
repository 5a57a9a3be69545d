// Git's name for a file's content: sha1("blob <length>\0" + content), 40 lower-case digits.
// https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
#pragma once

#include <string>

#include "base/status.h"

namespace plinth::cluster {

// ResourceExhausted for a file over `bytes_max`: git keeps small ones alone.
absl::StatusOr<std::string> git_blob_of_file(const std::string& path, std::size_t bytes_max);

}  // namespace plinth::cluster
