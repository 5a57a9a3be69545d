#include "api/auth/cookies.h"

#include <fmt/format.h>

namespace plinth::api {

namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string full_name(const Services& services, std::string_view name) {
  return fmt::format("{}{}", is_secure(services) ? "__Host-" : "", name);
}

}  // namespace

std::optional<std::string> cookie_value(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const auto semicolon = header.find(';');
    const auto pair = trimmed(header.substr(0, semicolon));
    header = semicolon == std::string_view::npos ? "" : header.substr(semicolon + 1);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || trimmed(pair.substr(0, equals)) != name) continue;
    return std::string(trimmed(pair.substr(equals + 1)));
  }
  return std::nullopt;
}

bool is_secure(const Services& services) { return services.public_url.starts_with("https://"); }

std::string session_cookie_name(const Services& services) {
  return full_name(services, "plinth_session");
}
std::string sign_in_cookie_name(const Services& services) {
  return full_name(services, "plinth_sign_in");
}

std::string set_cookie(const Services& services, const std::string& name, std::string_view value,
                       int max_age_s) {
  const std::string age = max_age_s < 0 ? "" : fmt::format("; Max-Age={}", max_age_s);
  return fmt::format("{}={}; Path=/; HttpOnly; SameSite=Lax{}{}", name, value, age,
                     is_secure(services) ? "; Secure" : "");
}

}  // namespace plinth::api
