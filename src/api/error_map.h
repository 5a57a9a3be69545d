// The one table from status to wire: HTTP code and OpenAI's error object.
#pragma once

#include <string>

#include "base/json.h"
#include "base/status.h"

namespace plinth::api {

// 400 for InvalidArgument, 401 Unauthenticated, 403 PermissionDenied, 404 NotFound, 429 for a
// refused limit, 503 for a full queue and Unavailable, 501 Unimplemented, 504 DeadlineExceeded, 500
// otherwise.
int http_status(const absl::Status& status);

// {"error": {"message", "type", "param", "code"}}; param and code from the status' payloads.
base::json::object error_object(const absl::Status& status);

// InvalidArgument about one parameter.
absl::Status parameter_error(std::string_view text, std::string_view param,
                             std::string_view code = "");

}  // namespace plinth::api
