// The query of a URL, read by the same declarations as a body.
#pragma once

#include <string>
#include <string_view>

#include "api/schema/validate.h"
#include "base/json.h"
#include "base/status.h"

namespace plinth::api {

// "%2F" and "+" as in forms; what is no escape stays as it is.
std::string percent_decoded(std::string_view text, bool plus_is_space = false);

// All but RFC 3986's unreserved characters as "%2F".
std::string percent_encoded(std::string_view text);

// Whether it can be looked for in a database and shown in an answer: UTF-8 without NUL, at which
// C's strings end.
bool is_text(const std::string& decoded);

// Fields by their declared kinds: integers are numbers, arrays come from `name[]=a&name[]=b` or
// `name=a&name=b`, maps from `name[key]=a`, or are null by `name=null`. InvalidArgument names the
// parameter that is wrong, unknown or given twice.
absl::StatusOr<base::json::object> parse_query(std::string_view query, const Schema& schema,
                                               const ValidateOptions& options);

}  // namespace plinth::api
