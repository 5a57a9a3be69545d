// For tests: an OpenID provider without a network. It serves discovery and keys, and exchanges the
// one code it has given out.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "governance/oidc.h"
#include "governance/sign_in/keyed_hash.h"
#include "governance/testing/test_keys.h"

namespace plinth::governance {

class FakeProvider {
 public:
  static constexpr const char* kIssuer = "https://login.example/tenant";

  explicit FakeProvider(const base::Clock& clock) : clock_(clock) {
    discovery = {{"issuer", kIssuer},
                 {"jwks_uri", "https://keys.example/tenant"},
                 {"authorization_endpoint", "https://login.example/tenant/authorize"},
                 {"token_endpoint", "https://login.example/tenant/token"}};
  }

  base::json::object claims(std::string_view audience) const {
    return {{"iss", kIssuer},
            {"aud", std::string(audience)},
            {"sub", "user-1"},
            {"iat", clock_.unix_seconds()},
            {"exp", clock_.unix_seconds() + 3600}};
  }
  std::string token(const base::json::object& of) const {
    return ec_key().token(ec_key().header("ec"), of);
  }

  // What the browser does: reads the address it is sent to, and comes back with a code.
  SignInReturn browse(const SignInStart& start) {
    asked = query(start.url.substr(start.url.find('?') + 1));
    id_claims = claims(asked["client_id"]);
    id_claims["nonce"] = asked["nonce"];
    return {.state = asked["state"], .code = "code/1+", .browser_state = start.state};
  }

  Fetch fetch() {
    return [this](const std::string& url) -> absl::StatusOr<std::string> {
      ++fetches;
      if (out) return base::unavailable("connection refused");
      if (url == std::string(kIssuer) + "/.well-known/openid-configuration") {
        return base::to_json(discovery);
      }
      if (url == text(discovery.at("jwks_uri"))) {
        return base::to_json({{"keys", {ec_key().jwk("ec"), rsa_key().jwk("rsa")}}});
      }
      return base::not_found(url);
    };
  }
  Post post() {
    return [this](const FormPost& form) -> absl::StatusOr<PostAnswer> {
      posted = form;
      if (out) return base::unavailable("connection refused");
      if (status != 200) return PostAnswer{status, R"({"error":"server_error"})"};
      auto fields = query(form.body);
      if (form.url != "https://login.example/tenant/token" ||
          fields["grant_type"] != "authorization_code" || fields["code"] != "code/1+" ||
          fields["redirect_uri"] != asked["redirect_uri"] ||
          base64url(sha256(fields["code_verifier"])) != asked["code_challenge"]) {
        return PostAnswer{400, R"({"error":"invalid_grant"})"};
      }
      base::json::object answer{{"access_token", "opaque"}, {"token_type", "Bearer"}};
      answer["id_token"] = id_token.empty() ? token(id_claims) : id_token;
      return PostAnswer{200, base::to_json(answer)};
    };
  }

  static std::map<std::string, std::string> query(std::string_view text) {
    std::map<std::string, std::string> fields;
    while (!text.empty()) {
      const auto field = text.substr(0, text.find('&'));
      text.remove_prefix(std::min(text.size(), field.size() + 1));
      const auto equals = field.find('=');
      fields[std::string(field.substr(0, equals))] = decoded(field.substr(equals + 1));
    }
    return fields;
  }

  base::json::object discovery;
  base::json::object id_claims;  // of the token that the code buys
  std::string id_token;          // instead of one made from id_claims
  std::map<std::string, std::string> asked;
  FormPost posted;
  int fetches = 0;
  int status = 200;
  bool out = false;

 private:
  static std::string text(const base::json::value& value) { return std::string(value.as_string()); }
  static std::string decoded(std::string_view text) {
    std::string out_text;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '%') {
        out_text += text[i];
        continue;
      }
      out_text += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    }
    return out_text;
  }

  const base::Clock& clock_;
};

}  // namespace plinth::governance
