// What is refused about things that belong to a project, in OpenAI's words.
#pragma once

#include <string_view>

#include "api/exchange.h"
#include "base/status.h"

namespace plinth::api {

// OK where the caller acts in a project. `things`, as a sentence begins: "Files".
absl::Status check_has_project(const Exchange& exchange, std::string_view things);

// A status of governance as clients should see it: what is not found is named by the field `param`,
// and the state of a thing is not the server's trouble. Others stay as they are.
absl::Status error_at(const absl::Status& status, std::string_view param);

}  // namespace plinth::api
