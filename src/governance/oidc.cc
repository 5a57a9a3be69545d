#include "governance/oidc.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_join.h"
#include "governance/jwt.h"
#include "governance/sign_in/claims.h"
#include "governance/sign_in/discovery.h"
#include "governance/sign_in/encoding.h"
#include "governance/sign_in/json_fields.h"
#include "governance/sign_in/keyed_hash.h"
#include "governance/sign_in/refreshed.h"
#include "governance/sign_in/sign_in_states.h"
#include "governance/sign_in_limits.h"

namespace plinth::governance {

namespace {

absl::Status refused(std::string_view why) {
  return absl::UnauthenticatedError(base::to_absl(fmt::format("[oidc] {}", why)));
}

// OpenID Connect Core 1.0, section 3.1.3.7: a token for several parties, or one that was issued to
// another, is ours only where it says that it was issued to us.
absl::Status check_party(const base::json::object& claims, const std::string& client_id) {
  const auto* audience = claims.if_contains("aud");
  const bool several =
      audience != nullptr && audience->is_array() && audience->get_array().size() > 1;
  if (!several && !claims.contains("azp")) return absl::OkStatus();
  if (text_member(claims, "azp") == client_id) return absl::OkStatus();
  return refused("the id token was issued to another party");
}

absl::StatusOr<std::string> id_token_of(const PostAnswer& answer) {
  if (answer.status >= 500) return base::unavailable("[oidc] the provider failed");
  if (answer.status != 200) return refused("the provider refused the code");
  const auto document = base::parse_json(answer.body, {.bytes_max = kTokenAnswerBytesMax});
  if (!document.ok() || !document->is_object()) return refused("the answer is no JSON object");
  std::string token = text_member(document->get_object(), "id_token");
  if (token.empty()) return refused("the answer holds no id token");
  return token;
}

}  // namespace

absl::Status check_oidc_options(const OidcOptions& options) {
  RETURN_IF_ERROR(check_url(options.issuer, options.allow_loopback_http));
  if (options.issuer.find('?') != std::string::npos) {
    return base::invalid_argument("[oidc] the issuer holds a query");
  }
  if (options.client_id.empty()) return base::invalid_argument("[oidc] no client id");
  if (std::ranges::find(options.scopes, "openid") == options.scopes.end()) {
    return base::invalid_argument("[oidc] the scopes lack openid");
  }
  for (const auto& uri : options.redirect_uris) {
    RETURN_IF_ERROR(check_url(uri, options.allow_loopback_http));
  }
  return absl::OkStatus();
}

struct OidcProvider::Impl {
  Impl(OidcOptions options_, Fetch fetch_, Post post_, SignInSecrets secrets,
       const base::Clock& now)
      : options(std::move(options_)),
        fetch(std::move(fetch_)),
        post(std::move(post_)),
        clock(now),
        discovery([this] { return discover(); }, clock),
        keys([this] { return jwks_uri(); }, fetch, clock),
        states(std::move(secrets.key), std::move(secrets.random), clock) {}

  absl::StatusOr<Discovery> discover() const {
    ASSIGN_OR_RETURN(const std::string text, fetch(discovery_url(options.issuer)));
    return parse_discovery(text, options.issuer, options.allow_loopback_http);
  }
  absl::StatusOr<Discovery> discovered() {
    const auto kept = discovery.get([](const Discovery&) { return true; });
    if (kept.value) return *kept.value;
    return base::unavailable(
        fmt::format("[oidc] {}: {}", options.issuer, base::message(kept.latest)));
  }
  absl::StatusOr<std::string> jwks_uri() {
    ASSIGN_OR_RETURN(const Discovery found, discovered());
    return found.jwks_uri;
  }
  absl::StatusOr<JwtClaims> verified(std::string_view token,
                                     const std::vector<std::string>& audiences) {
    const JwtRules rules{options.issuer, audiences, options.tenant};
    return verify_jwt(
        token, rules, [this](const std::string& key_id) { return keys.find(key_id); },
        clock.unix_seconds());
  }
  Identity identity(const JwtClaims& claims) const {
    Identity who = identity_of(claims);
    who.roles = named_claims(claims.all, options.roles_claim, options.role_names);
    who.groups = named_claims(claims.all, options.groups_claim, options.group_names);
    return who;
  }
  FormPost code_exchange(const Discovery& found, const SignInState& sign_in,
                         const std::string& code) const;

  const OidcOptions options;
  const Fetch fetch;
  const Post post;
  const base::Clock& clock;
  Refreshed<Discovery> discovery;
  JwksCache keys;
  SignInStates states;
};

FormPost OidcProvider::Impl::code_exchange(const Discovery& found, const SignInState& sign_in,
                                           const std::string& code) const {
  FormPost form;
  form.url = found.token_endpoint;
  append_field(form.body, "grant_type", "authorization_code");
  append_field(form.body, "code", code);
  append_field(form.body, "redirect_uri", sign_in.redirect_uri);
  append_field(form.body, "code_verifier", sign_in.code_verifier);
  if (options.client_secret.empty() || found.secret_in_form) {
    append_field(form.body, "client_id", options.client_id);
    if (found.secret_in_form && !options.client_secret.empty()) {
      append_field(form.body, "client_secret", options.client_secret);
    }
  } else {
    // RFC 6749, section 2.3.1: both are form-encoded before they are joined.
    form.authorization =
        "Basic " + absl::Base64Escape(fmt::format("{}:{}", percent_encoded(options.client_id),
                                                  percent_encoded(options.client_secret)));
  }
  return form;
}

OidcProvider::OidcProvider(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
OidcProvider::~OidcProvider() = default;

absl::StatusOr<std::unique_ptr<OidcProvider>> OidcProvider::create(OidcOptions options, Fetch fetch,
                                                                   Post post, SignInSecrets secrets,
                                                                   const base::Clock& clock) {
  RETURN_IF_ERROR(check_oidc_options(options));
  auto impl = std::make_unique<Impl>(std::move(options), std::move(fetch), std::move(post),
                                     std::move(secrets), clock);
  return std::unique_ptr<OidcProvider>(new OidcProvider(std::move(impl)));
}

absl::StatusOr<Identity> OidcProvider::verify(std::string_view token) {
  ASSIGN_OR_RETURN(const JwtClaims claims, impl_->verified(token, impl_->options.audiences));
  return impl_->identity(claims);
}

absl::StatusOr<bool> OidcProvider::glance(std::string_view token) {
  const JwtRules rules{impl_->options.issuer, impl_->options.audiences, impl_->options.tenant};
  const auto now_s = impl_->clock.unix_seconds();
  bool is_known = true;
  const auto known = [&](const std::string& key_id) -> absl::StatusOr<JwtKey> {
    auto key = impl_->keys.known(key_id);
    is_known = key.has_value();
    if (!is_known) return base::unavailable("[oidc] the key is not here");
    return *std::move(key);
  };
  const auto claims = verify_jwt(token, rules, known, now_s);
  if (claims.ok()) return true;
  if (is_known) return claims.status();
  RETURN_IF_ERROR(glance_at_jwt(token, rules, now_s));
  return false;
}

absl::StatusOr<SignInStart> OidcProvider::begin_sign_in(const std::string& redirect_uri) {
  const OidcOptions& options = impl_->options;
  if (std::ranges::find(options.redirect_uris, redirect_uri) == options.redirect_uris.end()) {
    return base::invalid_argument("[oidc] a sign-in may not come back there");
  }
  ASSIGN_OR_RETURN(const Discovery found, impl_->discovered());
  if (found.authorization_endpoint.empty() || found.token_endpoint.empty()) {
    return base::failed_precondition("[oidc] the provider signs no people in");
  }
  ASSIGN_OR_RETURN(const SignInState begun, impl_->states.begin(redirect_uri));
  SignInStart start{"", begun.state, begun.nonce, begun.code_verifier};
  std::string query;
  append_field(query, "response_type", "code");
  append_field(query, "client_id", options.client_id);
  append_field(query, "redirect_uri", redirect_uri);
  append_field(query, "scope", absl::StrJoin(options.scopes, " "));
  append_field(query, "state", start.state);
  append_field(query, "nonce", start.nonce);
  append_field(query, "code_challenge", base64url(sha256(start.code_verifier)));
  append_field(query, "code_challenge_method", "S256");
  const bool has_query = found.authorization_endpoint.find('?') != std::string::npos;
  start.url = found.authorization_endpoint + (has_query ? '&' : '?') + query;
  return start;
}

absl::StatusOr<Identity> OidcProvider::finish_sign_in(const SignInReturn& back) {
  const OidcOptions& options = impl_->options;
  // Else a page could sign a visitor in as somebody else with a code of its own.
  if (!same_secret(back.state, back.browser_state))
    return refused("this browser began no such sign-in");
  const auto sign_in = impl_->states.take(back.state, options.redirect_uris);
  if (!sign_in.has_value()) return refused("the sign-in is unknown, over or too old");
  if (!back.issuer.empty() && back.issuer != options.issuer) return refused("another issuer's");
  if (back.code.empty() || back.code.size() > kCodeBytesMax) return refused("no code");
  ASSIGN_OR_RETURN(const Discovery found, impl_->discovered());
  ASSIGN_OR_RETURN(const PostAnswer answer,
                   impl_->post(impl_->code_exchange(found, *sign_in, back.code)));
  ASSIGN_OR_RETURN(const std::string token, id_token_of(answer));
  ASSIGN_OR_RETURN(const JwtClaims claims, impl_->verified(token, {options.client_id}));
  RETURN_IF_ERROR(check_party(claims.all, options.client_id));
  if (!same_secret(text_member(claims.all, "nonce"), sign_in->nonce)) {
    return refused("the id token answers another sign-in");
  }
  return impl_->identity(claims);
}

}  // namespace plinth::governance
