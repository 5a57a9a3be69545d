// toml++ as every room reads TOML: errors as values, never an exception or an abort.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

#define TOML_EXCEPTIONS 0
// Its parser asserts what only well-formed input gives it ("[[[" does not) and goes on to report
// the error where asserts are off.
#define TOML_ASSERT(expression) static_assert(true)
#include <toml++/toml.h>

namespace plinth::base {

// InvalidArgument names `file` and the line. toml::parse itself is for nobody: it takes some
// characters outside ASCII for spaces and is undefined for others (3.3), where TOML 1.0 allows
// none: outside strings and comments, and after the backslash that ends a string's line.
absl::StatusOr<toml::table> parse_toml(std::string_view text, std::string_view file);

}  // namespace plinth::base
