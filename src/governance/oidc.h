// Sign-in with an OpenID Connect provider (Entra ID, Keycloak, Okta, ...): checks access tokens of
// programs, and signs people in by authorization code with PKCE (RFC 7636).
//
//   auto provider = OidcProvider::create(options, fetch, post, {key, system_random_bytes}, clock);
//   auto start = (*provider)->begin_sign_in("https://plinth.example/sign-in/done");
//   // Set start->state as a cookie, send the browser to start->url; it comes back with
//   ?state&code. auto identity = (*provider)->finish_sign_in({.state = ..., .code = ...,
//   .browser_state = ...});
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "governance/identity.h"
#include "governance/jwks.h"
#include "governance/random_bytes.h"

namespace plinth::governance {

struct OidcOptions {
  std::string issuer;         // exactly as the provider writes it
  std::string client_id;      // ours at the provider
  std::string client_secret;  // empty: a public client, which PKCE alone protects
  // Whom access tokens must be for. Empty: none is accepted. An id token is for client_id and tells
  // us who somebody is, not that a program may call us: put client_id here only to allow just that.
  std::vector<std::string> audiences;
  std::string tenant;                      // Entra's `tid`; empty: not looked at
  std::vector<std::string> redirect_uris;  // where a sign-in may come back to, exactly
  std::vector<std::string> scopes = {"openid", "profile", "email"};

  // A claim's name, or a path: "realm_access.roles". It holds a list, or words as `scp` does.
  std::string roles_claim = "roles";
  std::string groups_claim = "groups";
  // From what the claim holds to our name. What is not listed gives nothing.
  std::map<std::string, std::string, std::less<>> role_names;
  std::map<std::string, std::string, std::less<>> group_names;

  bool allow_loopback_http = false;  // http:// for localhost, 127.0.0.1 and [::1]: for tests
};

// application/x-www-form-urlencoded.
struct FormPost {
  std::string url;
  std::string body;
  std::string authorization;  // the header's value; empty: no such header
};
struct PostAnswer {
  int status = 0;  // of HTTP
  std::string body;
};
// An error where no answer came. Bounds as Fetch has them.
using Post = std::function<absl::StatusOr<PostAnswer>(const FormPost&)>;

// What the states of sign-ins are made of.
struct SignInSecrets {
  std::string key;  // of all gateways of a service
  RandomBytes random;
};

struct SignInStart {
  std::string url;    // where the browser goes
  std::string state;  // also for a cookie that only this browser has
  std::string nonce;  // these two stay here; the provider's fake needs them in tests
  std::string code_verifier;
};

// What the browser brought back.
struct SignInReturn {
  std::string state;
  std::string code;
  std::string browser_state;  // from its cookie: shows that this browser began the sign-in
  std::string issuer{};       // `iss` of RFC 9207; empty where the provider sends none
};

// InvalidArgument where an option is missing, or an address is not https.
absl::Status check_oidc_options(const OidcOptions& options);

// Thread-safe. Discovery and keys are fetched when first needed and kept.
class OidcProvider {
 public:
  // InvalidArgument as check_oidc_options(). Fetches nothing.
  static absl::StatusOr<std::unique_ptr<OidcProvider>> create(OidcOptions options, Fetch fetch,
                                                              Post post, SignInSecrets secrets,
                                                              const base::Clock& clock);
  ~OidcProvider();

  // Whose access token this is. Unauthenticated where it is not to be believed; Unavailable where
  // the provider could not be asked for its keys.
  absl::StatusOr<Identity> verify(std::string_view token);

  // What can be said of an access token at once: whether a key that is here signed it. False where
  // its key is none of those: it may be a new one of the provider's, or made up. Unauthenticated
  // where verify() would say so. Never waits.
  absl::StatusOr<bool> glance(std::string_view token);

  // InvalidArgument where the address is not among redirect_uris. A state holds for
  // kSignInTimeMax, at any gateway that has the same key.
  absl::StatusOr<SignInStart> begin_sign_in(const std::string& redirect_uri);
  // Spends the state here, whatever comes of it. Unauthenticated, Unavailable as verify().
  absl::StatusOr<Identity> finish_sign_in(const SignInReturn& back);

 private:
  struct Impl;
  explicit OidcProvider(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::governance
