#include "governance/sign_in/encoding.h"

#include <fmt/format.h>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "base/status.h"

namespace plinth::governance {

std::string base64url(std::string_view bytes) {
  return absl::WebSafeBase64Escape(base::to_absl(bytes));
}

std::optional<std::string> base64url_bytes(std::string_view text) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(base::to_absl(text), &bytes)) return std::nullopt;
  // Abseil skips white space and takes padding; writing it again tells.
  if (base64url(bytes) != text) return std::nullopt;
  return bytes;
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kUnreserved = "-._~";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || kUnreserved.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

void append_field(std::string& form, std::string_view name, std::string_view value) {
  if (!form.empty()) form += '&';
  form += fmt::format("{}={}", name, percent_encoded(value));
}

}  // namespace plinth::governance
