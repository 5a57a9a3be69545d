// A password from whoever types it, or from a pipe; never from the command line, which others see.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace plinth {

// At a terminal asks with `prompt` twice, without showing what is typed; otherwise reads one line
// of standard input. InvalidArgument where there is none, or the two differ.
absl::StatusOr<std::string> read_new_password(std::string_view prompt);

}  // namespace plinth
