// Answers held against what the OpenAPI document declares: the tests' proof that it is true.
#pragma once

#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace plinth::api {

// `path` as requested. InvalidArgument names the field that is missing, of another type, null
// where it may not be, or not declared.
absl::Status check_answer(std::string_view method, std::string_view path, int status,
                          const base::json::value& body);
// One event of a stream, [DONE] excepted.
absl::Status check_event(std::string_view path, const base::json::value& event);

}  // namespace plinth::api
