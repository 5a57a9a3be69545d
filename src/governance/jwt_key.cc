#include "governance/jwt_key.h"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <string>

#include "governance/sign_in_limits.h"

namespace plinth::governance {

namespace {

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
template <typename T, auto kFree>
using Owned = std::unique_ptr<T, Freed<kFree>>;
using Number = Owned<BIGNUM, BN_free>;

constexpr std::size_t kCoordinateBytes = 32;

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Number number(std::string_view big_endian) {
  return Number(BN_bin2bn(bytes(big_endian), static_cast<int>(big_endian.size()), nullptr));
}

// OpenSSL keeps errors in a queue of the thread, where the next TLS call would find ours.
struct ErrorsCleared {
  ~ErrorsCleared() { ERR_clear_error(); }
};

std::shared_ptr<EVP_PKEY> make_key(const char* type, OSSL_PARAM_BLD* build) {
  const Owned<OSSL_PARAM, OSSL_PARAM_free> params(OSSL_PARAM_BLD_to_param(build));
  const Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> context(
      EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return {key, EVP_PKEY_free};
}

// JWS carries r and s side by side (RFC 7518, section 3.4); OpenSSL takes their ASN.1 form.
std::string ecdsa_der(std::string_view signature) {
  if (signature.size() != 2 * kCoordinateBytes) return "";
  const Owned<ECDSA_SIG, ECDSA_SIG_free> pair(ECDSA_SIG_new());
  Number r = number(signature.substr(0, kCoordinateBytes));
  Number s = number(signature.substr(kCoordinateBytes));
  if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return "";
  static_cast<void>(r.release());  // the pair's own now
  static_cast<void>(s.release());
  const int size = i2d_ECDSA_SIG(pair.get(), nullptr);
  if (size <= 0) return "";
  std::string der(static_cast<std::size_t>(size), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_ECDSA_SIG(pair.get(), &out);
  return der;
}

}  // namespace

absl::StatusOr<JwtKey> JwtKey::rsa(std::string_view modulus, std::string_view exponent) {
  const ErrorsCleared cleared;
  if (modulus.size() > kRsaBitsMax / 8 || exponent.size() > 8) {
    return base::invalid_argument("[jwt] the RSA key is too large");
  }
  const Number n = number(modulus);
  const Number e = number(exponent);
  if (!n || !e) return base::internal("[jwt] no memory for the key");
  if (BN_num_bits(n.get()) < kRsaBitsMin || BN_is_odd(n.get()) == 0) {
    return base::invalid_argument(
        fmt::format("[jwt] an RSA key of {} bits; it needs {}", BN_num_bits(n.get()), kRsaBitsMin));
  }
  if (BN_is_odd(e.get()) == 0 || BN_get_word(e.get()) < kRsaExponentMin) {
    return base::invalid_argument("[jwt] the RSA exponent is even or too small");
  }
  const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> build(OSSL_PARAM_BLD_new());
  if (!build || OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return base::internal("[jwt] no memory for the key");
  }
  auto key = make_key("RSA", build.get());
  if (!key) return base::invalid_argument("[jwt] no RSA key");
  return JwtKey(JwtAlgorithm::rs256, std::move(key));
}

absl::StatusOr<JwtKey> JwtKey::p256(std::string_view x, std::string_view y) {
  const ErrorsCleared cleared;
  if (x.size() != kCoordinateBytes || y.size() != kCoordinateBytes) {
    return base::invalid_argument("[jwt] a P-256 key has coordinates of 32 bytes");
  }
  std::string point = "\x04";  // uncompressed, SEC 1
  point.append(x).append(y);
  const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> build(OSSL_PARAM_BLD_new());
  if (!build ||
      OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return base::internal("[jwt] no memory for the key");
  }
  auto key = make_key("EC", build.get());
  if (!key) return base::invalid_argument("[jwt] no point of P-256");
  const Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> context(
      EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  if (!context || EVP_PKEY_public_check(context.get()) != 1) {
    return base::invalid_argument("[jwt] no point of P-256");
  }
  return JwtKey(JwtAlgorithm::es256, std::move(key));
}

bool JwtKey::verifies(std::string_view text, std::string_view signature) const {
  const ErrorsCleared cleared;
  std::string der;
  if (algorithm_ == JwtAlgorithm::es256) {
    der = ecdsa_der(signature);
    if (der.empty()) return false;
    signature = der;
  }
  const Owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
  return context &&
         EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(text),
                          text.size()) == 1;
}

}  // namespace plinth::governance
