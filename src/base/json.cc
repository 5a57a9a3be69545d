#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace plinth::base {

namespace {

// Boost reads 1e400 as infinity, which no JSON text can say again.
bool finite(const json::value& value) {
  if (const auto* number = value.if_double()) return std::isfinite(*number);
  if (const auto* array = value.if_array())
    return std::all_of(array->begin(), array->end(), finite);
  if (const auto* object = value.if_object()) {
    return std::all_of(object->begin(), object->end(),
                       [](const auto& entry) { return finite(entry.value()); });
  }
  return true;
}

// As people write numbers: Boost's own serialiser says 2E-1.
void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  const auto at = out.size();
  fmt::format_to(std::back_inserter(out), "{}", value);
  if (out.find_first_of(".e", at) == std::string::npos) out += ".0";
}

void append_json(std::string& out, const json::value& value);

void append_members(std::string& out, const json::object& object) {
  out += '{';
  bool first = true;
  for (const auto& [key, value] : object) {
    if (!std::exchange(first, false)) out += ',';
    append_json_string(out, key);
    out += ':';
    append_json(out, value);
  }
  out += '}';
}

void append_json(std::string& out, const json::value& value) {
  if (const auto* object = value.if_object()) {
    append_members(out, *object);
  } else if (const auto* array = value.if_array()) {
    out += '[';
    for (const auto& item : *array) {
      if (&item != array->begin()) out += ',';
      append_json(out, item);
    }
    out += ']';
  } else if (const auto* text = value.if_string()) {
    append_json_string(out, *text);
  } else if (const auto* number = value.if_double()) {
    append_number(out, *number);
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

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
  json::value value = parser.release();
  if (!finite(value)) return invalid_argument("[json] a number is too large");
  return value;
}

std::string to_json(const json::value& value) {
  std::string out;
  append_json(out, value);
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  const auto plain = [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
  };
  out += '"';
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (plain(text[i])) continue;
    out.append(text, begin, i - begin);
    begin = i + 1;
    switch (text[i]) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(text[i]));
    }
  }
  out.append(text, begin);
  out += '"';
}

}  // namespace plinth::base
