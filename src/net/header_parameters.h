// Values of headers with parameters: form-data; name="a"; filename="b.txt" (RFC 9110, 5.6).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace plinth::net {

struct HeaderValue {
  std::string value;  // in lower case
  // Names in lower case, values without their quotes; in their order, also where one comes twice.
  std::vector<std::pair<std::string, std::string>> parameters;
};

// InvalidArgument where it is none.
absl::StatusOr<HeaderValue> parse_header_value(std::string_view text);
// "utf-8''na%C3%AFve.txt" (RFC 5987), of UTF-8 alone.
absl::StatusOr<std::string> decode_extended_value(std::string_view text);

std::string lower_case(std::string_view text);
std::string_view trimmed(std::string_view text);
// UTF-8 without control characters.
bool is_printable(std::string_view text);

}  // namespace plinth::net
