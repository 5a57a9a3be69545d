#include "governance/jwt.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "absl/strings/match.h"
#include "governance/sign_in/encoding.h"
#include "governance/sign_in/json_fields.h"

namespace plinth::governance {

namespace {

absl::Status refused(std::string_view why) {
  return absl::UnauthenticatedError(base::to_absl(fmt::format("[jwt] {}", why)));
}

// The three parts, or nothing.
std::optional<std::array<std::string_view, 3>> split(std::string_view token) {
  const auto first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const auto second = token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  if (token.find('.', second + 1) != std::string_view::npos) return std::nullopt;
  return std::array{token.substr(0, first), token.substr(first + 1, second - first - 1),
                    token.substr(second + 1)};
}

absl::StatusOr<base::json::object> read_object(std::string_view part, std::string_view name) {
  const auto text = base64url_bytes(part);
  if (!text.has_value()) return refused(fmt::format("the {} is not base64url", name));
  auto value = base::parse_json(*text, {.depth_max = kJwtDepthMax, .bytes_max = kJwtBytesMax});
  if (!value.ok() || !value->is_object()) {
    return refused(fmt::format("the {} is not a JSON object", name));
  }
  return std::move(value->get_object());
}

// RFC 8725, section 3.11: a logout or a security-event token is no sign-in.
bool known_type(const base::json::object& header) {
  if (!header.contains("typ")) return true;
  const std::string type = text_member(header, "typ");
  return std::ranges::any_of(
      std::array{"JWT", "at+jwt", "application/at+jwt"},
      [&](std::string_view known) { return absl::EqualsIgnoreCase(type, base::to_absl(known)); });
}

absl::Status read_header(const base::json::object& header, ParsedJwt& parsed) {
  const std::string algorithm = text_member(header, "alg");
  if (algorithm == "RS256") {
    parsed.algorithm = JwtAlgorithm::rs256;
  } else if (algorithm == "ES256") {
    parsed.algorithm = JwtAlgorithm::es256;
  } else {
    return refused("the algorithm is neither RS256 nor ES256");
  }
  // We know none of the extensions that a token may call critical (RFC 7515, section 4.1.11).
  if (header.contains("crit")) return refused("a critical extension is not known");
  if (!known_type(header)) return refused("the type is no access or id token");
  if (const auto* key_id = header.if_contains("kid")) {
    if (!key_id->is_string() || key_id->get_string().size() > kKeyIdBytesMax) {
      return refused("the key id is no short string");
    }
    parsed.key_id = view(key_id->get_string());
  }
  return absl::OkStatus();
}

// A NumericDate in whole seconds; nothing where it is no number or outside what dates need, so
// that adding the leeway cannot overflow.
std::optional<std::int64_t> date(const base::json::value& value) {
  constexpr double kYear9999 = 253402300799.0;
  double seconds = -1;
  if (value.is_number()) seconds = value.to_number<double>();
  if (!(seconds >= 0 && seconds <= kYear9999)) return std::nullopt;
  return static_cast<std::int64_t>(std::floor(seconds));
}

bool audience_fits(const base::json::object& claims, const std::vector<std::string>& audiences) {
  return std::ranges::any_of(audiences, [&](const std::string& wanted) {
    return !wanted.empty() &&
           (text_member(claims, "aud") == wanted || lists(claims, "aud", wanted));
  });
}

absl::StatusOr<std::int64_t> check_dates(const base::json::object& claims,
                                         std::chrono::seconds leeway, std::int64_t now) {
  const auto* exp = claims.if_contains("exp");
  const auto expires = exp == nullptr ? std::nullopt : date(*exp);
  if (!expires.has_value()) return refused("it does not say when it expires");
  if (now >= *expires + leeway.count()) return refused("it has expired");
  for (const char* name : {"nbf", "iat"}) {
    const auto* claim = claims.if_contains(name);
    if (claim == nullptr) continue;
    const auto begins = date(*claim);
    if (!begins.has_value()) return refused(fmt::format("{} is no date", name));
    if (now + leeway.count() < *begins) return refused("it is not valid yet");
  }
  return *expires;
}

absl::StatusOr<JwtClaims> check_claims(ParsedJwt parsed, const JwtRules& rules,
                                       std::int64_t now_unix_s) {
  JwtClaims claims;
  claims.issuer = text_member(parsed.claims, "iss");
  if (claims.issuer.empty() || claims.issuer != rules.issuer) return refused("another issuer's");
  if (!audience_fits(parsed.claims, rules.audiences)) return refused("for another audience");
  ASSIGN_OR_RETURN(claims.expires_unix_s, check_dates(parsed.claims, rules.leeway, now_unix_s));
  if (!rules.tenant.empty() && text_member(parsed.claims, "tid") != rules.tenant) {
    return refused("another tenant's");
  }
  claims.subject = text_member(parsed.claims, "sub");
  if (claims.subject.empty() || claims.subject.size() > kSubjectBytesMax) {
    return refused("it names no subject");
  }
  claims.all = std::move(parsed.claims);
  return claims;
}

}  // namespace

absl::StatusOr<ParsedJwt> parse_jwt(std::string_view token) {
  if (token.size() > kJwtBytesMax) return refused("it is too long");
  const auto parts = split(token);
  if (!parts.has_value()) return refused("it does not have three parts");
  const auto [header_part, claims_part, signature_part] = *parts;
  if (header_part.size() > kJwtHeaderBytesMax) return refused("its header is too long");
  ParsedJwt parsed;
  ASSIGN_OR_RETURN(const auto header, read_object(header_part, "header"));
  RETURN_IF_ERROR(read_header(header, parsed));
  ASSIGN_OR_RETURN(parsed.claims, read_object(claims_part, "claims"));
  auto signature = base64url_bytes(signature_part);
  if (!signature.has_value() || signature->empty()) return refused("it is not signed");
  parsed.signature = *std::move(signature);
  parsed.signed_text = token.substr(0, header_part.size() + 1 + claims_part.size());
  return parsed;
}

absl::Status glance_at_jwt(std::string_view token, const JwtRules& rules, std::int64_t now_unix_s) {
  ASSIGN_OR_RETURN(ParsedJwt parsed, parse_jwt(token));
  return check_claims(std::move(parsed), rules, now_unix_s).status();
}

absl::StatusOr<JwtClaims> verify_jwt(std::string_view token, const JwtRules& rules,
                                     const JwtKeySource& keys, std::int64_t now_unix_s) {
  ASSIGN_OR_RETURN(ParsedJwt parsed, parse_jwt(token));
  ASSIGN_OR_RETURN(const JwtKey key, keys(parsed.key_id));
  if (key.algorithm() != parsed.algorithm) return refused("its key is for another algorithm");
  if (!key.verifies(parsed.signed_text, parsed.signature)) return refused("the signature is wrong");
  return check_claims(std::move(parsed), rules, now_unix_s);
}

}  // namespace plinth::governance
