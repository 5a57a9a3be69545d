// JSON Web Tokens: what RFC 8725 asks of whoever takes them. A token is three base64url parts,
// header.claims.signature (compact JWS, RFC 7515). Signed with RS256 or ES256 or refused; key
// material that a token brings along (jwk, jku, x5u, x5c) is never looked at.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "governance/jwt_key.h"
#include "governance/sign_in_limits.h"

namespace plinth::governance {

// A token taken apart. Nothing of it is believed yet.
struct ParsedJwt {
  JwtAlgorithm algorithm = JwtAlgorithm::rs256;
  std::string key_id;  // empty where the header names none
  base::json::object claims;
  std::string_view signed_text;  // a part of the token's own text
  std::string signature;         // raw bytes
};

// Unauthenticated where the text is no token that could ever be accepted.
absl::StatusOr<ParsedJwt> parse_jwt(std::string_view token);

struct JwtRules {
  std::string issuer;
  std::vector<std::string> audiences;  // the token must be for one of them
  std::string tenant{};                // what `tid` must be; empty: not looked at
  std::chrono::seconds leeway = kJwtLeeway;
};

struct JwtClaims {
  std::string issuer;
  std::string subject;  // never empty
  std::int64_t expires_unix_s = 0;
  base::json::object all;
};

// The key of that id. Unauthenticated where there is none; other errors (Unavailable) pass through
// verify_jwt as they are.
using JwtKeySource = std::function<absl::StatusOr<JwtKey>(const std::string& key_id)>;

// What can be said of a token without a key: Unauthenticated where no key would make it good. One
// that is OK here may be made up.
absl::Status glance_at_jwt(std::string_view token, const JwtRules& rules, std::int64_t now_unix_s);

// The claims of a token that `keys` vouches for and `rules` allow at `now_unix_s`; `sub`, `exp`,
// `iss` and `aud` are required. Unauthenticated otherwise: the message says what was wrong and
// repeats nothing of the token.
absl::StatusOr<JwtClaims> verify_jwt(std::string_view token, const JwtRules& rules,
                                     const JwtKeySource& keys, std::int64_t now_unix_s);

}  // namespace plinth::governance
