// What a provider says of itself (OpenID Connect Discovery 1.0).
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace plinth::governance {

struct Discovery {
  std::string jwks_uri;
  std::string authorization_endpoint;  // empty where it signs no people in
  std::string token_endpoint;          // the same
  bool secret_in_form = false;         // client_secret_post is all it takes
};

// https with a host and without user or fragment; http too where the host is this machine's own and
// `allow_loopback_http`. InvalidArgument otherwise.
absl::Status check_url(const std::string& url, bool allow_loopback_http);

// Where an issuer's document is.
std::string discovery_url(std::string_view issuer);

// FailedPrecondition where the document is not `issuer`'s own, or an address in it is not
// check_url's.
absl::StatusOr<Discovery> parse_discovery(std::string_view text, const std::string& issuer,
                                          bool allow_loopback_http);

}  // namespace plinth::governance
