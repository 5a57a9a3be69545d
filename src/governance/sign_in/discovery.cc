#include "governance/sign_in/discovery.h"

#include <fmt/format.h>

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "governance/sign_in/json_fields.h"
#include "governance/sign_in_limits.h"

namespace plinth::governance {

absl::Status check_url(const std::string& url, bool allow_loopback_http) {
  const auto refused = [&](std::string_view why) {
    return base::invalid_argument(fmt::format("[oidc] {}: {}", url, why));
  };
  const auto parsed = boost::urls::parse_uri(url);
  if (parsed.has_error()) return refused("not a URL");
  const std::string host(parsed->encoded_host().data(), parsed->encoded_host().size());
  if (host.empty()) return refused("no host");
  // Boost 1.81 ends the host of http://127.0.0.1.evil.example after the 1 and calls the rest a
  // path.
  const auto path = parsed->encoded_path();
  if (!path.empty() && path.front() != '/') return refused("no host");
  if (parsed->has_userinfo() || parsed->has_fragment()) return refused("holds a user or fragment");
  if (parsed->scheme_id() == boost::urls::scheme::https) return absl::OkStatus();
  const bool loopback = host == "localhost" || host == "127.0.0.1" || host == "[::1]";
  if (parsed->scheme_id() == boost::urls::scheme::http && loopback && allow_loopback_http) {
    return absl::OkStatus();
  }
  return refused("not https");
}

std::string discovery_url(std::string_view issuer) {
  if (issuer.ends_with('/')) issuer.remove_suffix(1);
  return fmt::format("{}/.well-known/openid-configuration", issuer);
}

absl::StatusOr<Discovery> parse_discovery(std::string_view text, const std::string& issuer,
                                          bool allow_loopback_http) {
  const auto document = base::parse_json(text, {.bytes_max = kDiscoveryBytesMax});
  if (!document.ok() || !document->is_object()) {
    return base::failed_precondition("[oidc] the discovery document is no JSON object");
  }
  const auto& object = document->get_object();
  // Otherwise another tenant of the same host could answer for this one.
  if (text_member(object, "issuer") != issuer) {
    return base::failed_precondition("[oidc] the discovery document is another issuer's");
  }
  Discovery found;
  found.jwks_uri = text_member(object, "jwks_uri");
  found.authorization_endpoint = text_member(object, "authorization_endpoint");
  found.token_endpoint = text_member(object, "token_endpoint");
  if (found.jwks_uri.empty()) {
    return base::failed_precondition("[oidc] the discovery document names no keys");
  }
  for (const auto& url : {found.jwks_uri, found.authorization_endpoint, found.token_endpoint}) {
    if (url.empty()) continue;
    const absl::Status good = check_url(url, allow_loopback_http);
    if (!good.ok()) return base::failed_precondition(base::message(good));
  }
  const std::string_view methods = "token_endpoint_auth_methods_supported";
  found.secret_in_form = lists(object, methods, "client_secret_post") &&
                         !lists(object, methods, "client_secret_basic");
  return found;
}

}  // namespace plinth::governance
