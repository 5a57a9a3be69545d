// A public key that checks signatures of tokens, and the one algorithm it is for.
#pragma once

#include <memory>
#include <string_view>

#include "base/status.h"

// OpenSSL's own name of its key type.
struct evp_pkey_st;

namespace plinth::governance {

// The whole list: anything else, `none` and the HMAC family first of all, has no name here.
enum class JwtAlgorithm { rs256, es256 };

// Immutable and thread-safe; copies share the key. An RSA key is for RS256 and a P-256 key for
// ES256, so that no token can choose what its key is used for.
class JwtKey {
 public:
  // Modulus and exponent, big-endian bytes as in a JWK. InvalidArgument outside the bounds of
  // limits.h.
  static absl::StatusOr<JwtKey> rsa(std::string_view modulus, std::string_view exponent);
  // Coordinates of 32 bytes each. InvalidArgument where they are no point of the curve.
  static absl::StatusOr<JwtKey> p256(std::string_view x, std::string_view y);

  JwtAlgorithm algorithm() const { return algorithm_; }
  // Whether `signature`, as a JWS carries it (PKCS #1 bytes, or r and s of 32 bytes each), is
  // this key's over `text`.
  bool verifies(std::string_view text, std::string_view signature) const;

 private:
  JwtKey(JwtAlgorithm algorithm, std::shared_ptr<evp_pkey_st> key)
      : algorithm_(algorithm), key_(std::move(key)) {}

  JwtAlgorithm algorithm_;
  std::shared_ptr<evp_pkey_st> key_;  // copies of a JwtKey share it
};

}  // namespace plinth::governance
