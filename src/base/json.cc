#include "base/json.h"

#include <fmt/format.h>

namespace plinth::base {

absl::StatusOr<json::value> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return resource_exhausted(fmt::format("[json] document of {} bytes is over the limit of {}",
                                          text.size(), limits.bytes_max));
  }
  json::parse_options options;
  options.max_depth = limits.depth_max;
  json::stream_parser parser({}, options);
  boost::system::error_code error;
  const std::size_t consumed = parser.write_some(text.data(), text.size(), error);
  if (error) {
    return invalid_argument(fmt::format("[json] byte {}: {}", consumed, error.message()));
  }
  std::size_t end = consumed;
  while (end < text.size() && std::string_view(" \t\r\n").find(text[end]) != std::string_view::npos)
    ++end;
  if (end < text.size()) {
    return invalid_argument(fmt::format("[json] byte {}: extra data after the document", end));
  }
  parser.finish(error);
  if (error) {
    return invalid_argument(fmt::format("[json] byte {}: {}", consumed, error.message()));
  }
  return parser.release();
}

std::string to_json(const json::value& value) { return json::serialize(value); }

}  // namespace plinth::base
