// Certificates that tests make: authorities and what they sign.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/check.h"

namespace plinth::governance {

class TestCertificate {
 public:
  struct Options {
    std::string name = "authority";
    bool is_authority = true;
    std::int64_t valid_s = 0, expires_s = 4'000'000'000;
    const char* purpose = "";  // extended key usage: "clientAuth", "serverAuth", "" = none
    unsigned rsa_bits = 0;     // 0 = an elliptic curve's, P-256
  };
  // Signed by `signer`, null = by itself.
  explicit TestCertificate(const Options& options, const TestCertificate* signer = nullptr)
      : key_(make_key(options.rsa_bits), EVP_PKEY_free), certificate_(X509_new(), X509_free) {
    auto* made = certificate_.get();
    X509_set_version(made, X509_VERSION_3);
    static std::int64_t serial = 1;
    ASN1_INTEGER_set_int64(X509_get_serialNumber(made), serial++);
    ASN1_TIME_set(X509_getm_notBefore(made), options.valid_s);
    ASN1_TIME_set(X509_getm_notAfter(made), options.expires_s);
    X509_set_pubkey(made, key_.get());
    auto* name = X509_get_subject_name(made);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(options.name.c_str()), -1, -1,
                               0);
    const auto& by = signer == nullptr ? *this : *signer;
    X509_set_issuer_name(made, X509_get_subject_name(by.certificate_.get()));
    extend(NID_basic_constraints, options.is_authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (options.is_authority) extend(NID_key_usage, "critical,keyCertSign");
    if (*options.purpose != '\0') extend(NID_ext_key_usage, options.purpose);
    CHECK(X509_sign(made, by.key_.get(), EVP_sha256()) > 0);
  }

  std::string der() const {
    unsigned char* bytes = nullptr;
    const int count = i2d_X509(certificate_.get(), &bytes);
    std::string out(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
    OPENSSL_free(bytes);
    return out;
  }
  std::string pem() const {
    return written([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate_.get()); });
  }
  std::string private_pem() const {
    return written([&](BIO* bio) {
      return PEM_write_bio_PrivateKey(bio, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }

 private:
  static EVP_PKEY* make_key(unsigned rsa_bits) {
    auto* key = rsa_bits == 0 ? EVP_EC_gen("P-256") : EVP_RSA_gen(rsa_bits);
    CHECK(key != nullptr);
    return key;
  }
  void extend(int what, const char* value) {
    auto* extension = X509V3_EXT_conf_nid(nullptr, nullptr, what, value);
    CHECK(extension != nullptr);
    X509_add_ext(certificate_.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  template <typename Write>
  static std::string written(const Write& write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
    CHECK(write(bio.get()) == 1);
    char* bytes = nullptr;
    const auto count = BIO_get_mem_data(bio.get(), &bytes);
    return {bytes, static_cast<std::size_t>(count)};
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> certificate_;
};

}  // namespace plinth::governance
