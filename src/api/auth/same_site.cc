#include "api/auth/same_site.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/limits.h"

namespace plinth::api {

namespace {

absl::Status foreign() {
  return absl::PermissionDeniedError(
      "This request comes from another page, and a cookie alone does not allow it. Programs send "
      "an X-Plinth-CSRF header, of any value, with the cookie, or use a key.");
}

}  // namespace

absl::Status check_same_site(const net::HttpRequest& request, const std::string& public_url) {
  if (request.method == "GET" || request.method == "HEAD") return absl::OkStatus();
  if (!request.header("x-plinth-csrf").empty()) return absl::OkStatus();
  const auto site = request.header("sec-fetch-site");
  if (!site.empty()) return site == "same-origin" ? absl::OkStatus() : foreign();
  const auto origin = request.header("origin");
  if (origin.empty()) return foreign();
  if (!public_url.empty() && origin == public_url) return absl::OkStatus();
  // A proxy in front may speak https where this service does not.
  const auto host = request.header("host");
  const bool own = !host.empty() && (origin == fmt::format("http://{}", host) ||
                                     origin == fmt::format("https://{}", host));
  return own ? absl::OkStatus() : foreign();
}

bool is_local_path(std::string_view text) {
  if (text.empty() || text.size() > kReturnToBytesMax || text.front() != '/') return false;
  // Browsers read // and /\ as the beginning of a host, and pass over tabs and line ends.
  if (text.size() > 1 && (text[1] == '/' || text[1] == '\\')) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > 0x20 && c < 0x7f && c != '\\' && c != '"'; });
}

}  // namespace plinth::api
