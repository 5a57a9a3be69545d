// For tests: key pairs that sign tokens, and the parts to forge them from.
#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/json.h"
#include "governance/jwt_key.h"
#include "governance/sign_in/encoding.h"

namespace plinth::governance {

inline std::string jwt_part(const base::json::value& value) {
  return base64url(base::to_json(value));
}

class TestKey {
 public:
  static TestKey rsa(unsigned bits = 2048) {
    return {JwtAlgorithm::rs256, EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{bits})};
  }
  static TestKey p256() {
    return {JwtAlgorithm::es256, EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
  }

  JwtKey key() const {
    return algorithm_ == JwtAlgorithm::rs256
               ? *JwtKey::rsa(number(OSSL_PKEY_PARAM_RSA_N), number(OSSL_PKEY_PARAM_RSA_E))
               : *JwtKey::p256(coordinate(OSSL_PKEY_PARAM_EC_PUB_X),
                               coordinate(OSSL_PKEY_PARAM_EC_PUB_Y));
  }
  base::json::object jwk(std::string_view key_id) const {
    base::json::object jwk{{"kid", std::string(key_id)}, {"use", "sig"}};
    if (algorithm_ == JwtAlgorithm::rs256) {
      jwk["kty"] = "RSA";
      jwk["n"] = base64url(number(OSSL_PKEY_PARAM_RSA_N));
      jwk["e"] = base64url(number(OSSL_PKEY_PARAM_RSA_E));
    } else {
      jwk["kty"] = "EC";
      jwk["crv"] = "P-256";
      jwk["x"] = base64url(coordinate(OSSL_PKEY_PARAM_EC_PUB_X));
      jwk["y"] = base64url(coordinate(OSSL_PKEY_PARAM_EC_PUB_Y));
    }
    return jwk;
  }
  base::json::object header(std::string_view key_id) const {
    return {{"alg", algorithm_ == JwtAlgorithm::rs256 ? "RS256" : "ES256"},
            {"typ", "JWT"},
            {"kid", std::string(key_id)}};
  }
  std::string token(const base::json::object& header, const base::json::object& claims) const {
    const std::string text = jwt_part(header) + "." + jwt_part(claims);
    return text + "." + base64url(signature(text));
  }

  // As a JWS carries it.
  std::string signature(std::string_view text) const {
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                     EVP_MD_CTX_free);
    const auto* in = reinterpret_cast<const unsigned char*>(text.data());
    std::string out(1024, '\0');
    std::size_t size = out.size();
    CHECK(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1);
    CHECK(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, in,
                         text.size()) == 1);
    out.resize(size);
    return algorithm_ == JwtAlgorithm::rs256 ? out : raw_pair(out);
  }
  EVP_PKEY* get() const { return key_.get(); }

 private:
  TestKey(JwtAlgorithm algorithm, EVP_PKEY* key)
      : algorithm_(algorithm), key_(key, EVP_PKEY_free) {}

  std::string number(const char* name, int width = 0) const {
    BIGNUM* value = nullptr;
    CHECK(EVP_PKEY_get_bn_param(key_.get(), name, &value) == 1);
    std::string bytes(static_cast<std::size_t>(width > 0 ? width : BN_num_bytes(value)), '\0');
    BN_bn2binpad(value, reinterpret_cast<unsigned char*>(bytes.data()),
                 static_cast<int>(bytes.size()));
    BN_free(value);
    return bytes;
  }
  std::string coordinate(const char* name) const { return number(name, 32); }

  static std::string raw_pair(const std::string& der) {
    const auto* in = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(der.size()));
    CHECK(pair != nullptr);
    std::string out(64, '\0');
    auto* bytes = reinterpret_cast<unsigned char*>(out.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), bytes, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), bytes + 32, 32);
    ECDSA_SIG_free(pair);
    return out;
  }

  JwtAlgorithm algorithm_;
  std::shared_ptr<EVP_PKEY> key_;  // copies share it: making an RSA key takes a while
};

// The same two keys for every test of a process.
inline const TestKey& rsa_key() {
  static const TestKey key = TestKey::rsa();
  return key;
}
inline const TestKey& ec_key() {
  static const TestKey key = TestKey::p256();
  return key;
}

}  // namespace plinth::governance
