#include "net/header_parameters.h"

#include <algorithm>
#include <charconv>

#include "base/json.h"

namespace plinth::net {

namespace {

absl::Status malformed() { return base::invalid_argument("Malformed parameters of a header."); }

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Takes a quoted string, or what stands up to the next semicolon.
absl::StatusOr<std::string> take_value(std::string_view& rest) {
  std::string out;
  if (!rest.starts_with('"')) {
    const auto end = std::min(rest.find(';'), rest.size());
    out = trimmed(rest.substr(0, end));
    rest.remove_prefix(end);
    return out;
  }
  std::size_t at = 1;
  for (; at < rest.size() && rest[at] != '"'; ++at) {
    // Of other characters a backslash is itself: names of files have them.
    const bool escape =
        rest[at] == '\\' && at + 1 < rest.size() && (rest[at + 1] == '"' || rest[at + 1] == '\\');
    if (escape) ++at;
    out += rest[at];
  }
  if (at >= rest.size()) return malformed();
  rest.remove_prefix(at + 1);
  return out;
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

bool is_printable(std::string_view text) {
  const bool controls =
      std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  return !controls && base::parse_json(base::to_json(base::json::string(text))).ok();
}

absl::StatusOr<HeaderValue> parse_header_value(std::string_view text) {
  HeaderValue out;
  auto end = std::min(text.find(';'), text.size());
  out.value = lower_case(trimmed(text.substr(0, end)));
  auto rest = text.substr(end);
  while (!rest.empty()) {
    rest = trimmed(rest);
    if (rest.empty()) break;
    if (rest.front() != ';') return malformed();
    rest = trimmed(rest.substr(1));
    if (rest.empty()) break;  // a semicolon at the end
    end = rest.find('=');
    if (end == std::string_view::npos) return malformed();
    auto name = lower_case(trimmed(rest.substr(0, end)));
    if (name.empty() || name.find_first_of(" \t\";") != std::string::npos) return malformed();
    rest = trimmed(rest.substr(end + 1));
    ASSIGN_OR_RETURN(auto value, take_value(rest));
    out.parameters.emplace_back(std::move(name), std::move(value));
  }
  return out;
}

absl::StatusOr<std::string> decode_extended_value(std::string_view text) {
  constexpr std::string_view kCharset = "utf-8'";
  if (lower_case(text.substr(0, kCharset.size())) != kCharset) return malformed();
  text.remove_prefix(kCharset.size());
  const auto language = text.find('\'');
  if (language == std::string_view::npos) return malformed();
  text.remove_prefix(language + 1);
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out += text[at];
      continue;
    }
    unsigned char byte = 0;
    const char* digits = text.data() + at + 1;
    if (at + 2 >= text.size() || std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2)
      return malformed();
    out += static_cast<char>(byte);
    at += 2;
  }
  return out;
}

}  // namespace plinth::net
