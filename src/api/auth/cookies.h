// Cookies of sign-in (RFC 6265bis).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/exchange.h"

namespace plinth::api {

// The value of the first cookie of that name in a Cookie header; nothing where there is none.
std::optional<std::string> cookie_value(std::string_view header, std::string_view name);

// Whether browsers reach this service by https alone.
bool is_secure(const Services& services);
// With the prefix __Host-, which keeps other hosts and plain http from setting it, where that
// works.
std::string session_cookie_name(const Services& services);
std::string sign_in_cookie_name(const Services& services);

// A Set-Cookie header's value: HttpOnly, SameSite=Lax, and Secure where it can be. `max_age_s`: -1
// = until the browser ends, 0 = takes the cookie away. The value holds no `;`.
std::string set_cookie(const Services& services, const std::string& name, std::string_view value,
                       int max_age_s);

}  // namespace plinth::api
