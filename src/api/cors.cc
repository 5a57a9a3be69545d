#include "api/cors.h"

#include <algorithm>

namespace plinth::api {

namespace {

// What a page may read beside the few headers that every page may: ids to quote, limits to obey.
constexpr char kExposed[] =
    "x-request-id, retry-after, retry-after-ms, x-should-retry, openai-processing-ms, "
    "openai-version, openai-organization, openai-project, x-ratelimit-limit-requests, "
    "x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, "
    "x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens";
// SDKs ask for some twenty x-stainless-* names.
constexpr std::size_t kAskedBytesMax = 2048;
// How long a browser keeps the permission, in seconds: ten minutes, so that a changed setting is
// seen soon.
constexpr char kMaxAge[] = "600";

// Header names and what separates them: safe to give back.
bool is_name_list(std::string_view text) {
  return text.size() <= kAskedBytesMax && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == ',' || c == ' ';
         });
}

}  // namespace

net::HttpHeaders cors_headers(const CorsOptions& options, const net::HttpRequest& request) {
  if (options.origins.empty()) return {};
  const auto origin = request.header("origin");
  const bool any =
      std::find(options.origins.begin(), options.origins.end(), "*") != options.origins.end();
  const auto named = std::find(options.origins.begin(), options.origins.end(), origin);
  // A cache must not give one origin's answer to another, not even a refusal.
  if (!any && (origin.empty() || named == options.origins.end())) return {{"vary", "origin"}};
  net::HttpHeaders headers{{"access-control-allow-origin", any ? "*" : *named},
                           {"access-control-expose-headers", kExposed}};
  if (!any) headers.emplace_back("vary", "origin");
  return headers;
}

bool is_preflight(const net::HttpRequest& request) {
  return request.method == "OPTIONS" && !request.header("origin").empty() &&
         !request.header("access-control-request-method").empty();
}

net::HttpHeaders preflight_headers(const net::HttpRequest& request, const std::string& methods) {
  net::HttpHeaders headers{{"access-control-allow-methods", methods},
                           {"access-control-max-age", kMaxAge}};
  const auto asked = request.header("access-control-request-headers");
  if (!asked.empty() && is_name_list(asked))
    headers.emplace_back("access-control-allow-headers", asked);
  return headers;
}

}  // namespace plinth::api
