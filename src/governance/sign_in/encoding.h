// Base64url as RFC 7515 has it, and form fields as URLs carry them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace plinth::governance {

// Without padding.
std::string base64url(std::string_view bytes);
// Nothing unless `text` is exactly what base64url() would write: no padding, no white space, no
// stray bits, so that no two texts mean the same bytes.
std::optional<std::string> base64url_bytes(std::string_view text);

// Percent-encodes all but RFC 3986's unreserved characters.
std::string percent_encoded(std::string_view text);
// Appends "name=value", with "&" before it where `form` is not empty. Encodes the value alone.
void append_field(std::string& form, std::string_view name, std::string_view value);

}  // namespace plinth::governance
