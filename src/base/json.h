// The one JSON library behind the one header: Boost.JSON values, with bounded parsing.
#pragma once

#include <boost/json.hpp>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"

namespace plinth::base {

namespace json = boost::json;

struct JsonLimits {
  // A chat request nests about 8 deep and a JSON Schema about 30; recursion past this is hostile.
  std::size_t depth_max = 64;
  // The body limit of the HTTP server bounds requests; files pass their own.
  std::size_t bytes_max = 64u << 20;
};

// Parses one complete document. InvalidArgument names the byte offset of the first error.
// Numbers out of double's range and invalid UTF-8 are errors.
absl::StatusOr<json::value> parse_json(std::string_view text, const JsonLimits& limits = {});

// Compact serialisation, no trailing newline.
std::string to_json(const json::value& value);
// Appends `text`, which is valid UTF-8, as a quoted JSON string: for what is written too often to
// build a value first.
void append_json_string(std::string& out, std::string_view text);

}  // namespace plinth::base
