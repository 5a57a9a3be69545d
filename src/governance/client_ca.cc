#include "governance/client_ca.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

#include "absl/strings/escaping.h"
#include "governance/client_certificate_limits.h"

namespace plinth::governance {

namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using BioPtr = std::unique_ptr<BIO, Free>;
using X509Ptr = std::unique_ptr<X509, Free>;

constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view kEnd = "-----END CERTIFICATE-----";

// The one block of the text and blanks around it.
absl::StatusOr<std::string_view> block_of(std::string_view pem) {
  if (pem.size() > kClientCaBytesMax) {
    return base::invalid_argument(
        fmt::format("A certificate has at most {} bytes.", kClientCaBytesMax));
  }
  constexpr std::string_view kBlank = " \t\r\n";
  const auto first = pem.find_first_not_of(kBlank);
  if (first == std::string_view::npos || !pem.substr(first).starts_with(kBegin))
    return base::invalid_argument("This is no certificate in PEM format.");
  pem = pem.substr(first, pem.find_last_not_of(kBlank) + 1 - first);
  const auto end = pem.find(kEnd);
  if (end == std::string_view::npos) return base::invalid_argument("The certificate has no end.");
  if (end + kEnd.size() != pem.size()) {
    return base::invalid_argument(
        "There is something beside the certificate: upload one at a time, and no private key.");
  }
  return pem;
}

absl::StatusOr<X509Ptr> read(std::string_view block) {
  const BioPtr bio(BIO_new_mem_buf(block.data(), static_cast<int>(block.size())));
  if (bio == nullptr) return base::internal("[client ca] no memory");
  // No password is ever asked for: an encrypted block is not read.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  if (certificate == nullptr)
    return base::invalid_argument("This is no certificate that can be read.");
  return certificate;
}

absl::StatusOr<std::int64_t> seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1)
    return base::invalid_argument("The certificate's times cannot be read.");
  return ::timegm(&parts);
}

absl::Status check_authority(X509* certificate) {
  // 1: version 3 with basicConstraints CA:TRUE. Others are guesses at what old ones mean.
  if (X509_check_ca(certificate) != 1)
    return base::invalid_argument("The certificate is not one of an authority (CA:TRUE).");
  if ((X509_get_extension_flags(certificate) & EXFLAG_INVALID) != 0)
    return base::invalid_argument("An extension of the certificate cannot be read.");
  const auto* key = X509_get0_pubkey(certificate);
  if (key == nullptr || EVP_PKEY_get_security_bits(key) < kClientCaSecurityBitsMin) {
    return base::invalid_argument(
        "The certificate's key is too weak: RSA takes 2048 bits, elliptic curves 224.");
  }
  return absl::OkStatus();
}

std::string text_of(const BioPtr& bio) {
  char* bytes = nullptr;
  const auto count = BIO_get_mem_data(bio.get(), &bytes);
  return {bytes, static_cast<std::size_t>(count)};
}

absl::Status describe(X509* certificate, ClientCa& out) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  const BioPtr pem(BIO_new(BIO_s_mem())), subject(BIO_new(BIO_s_mem()));
  if (pem == nullptr || subject == nullptr ||
      X509_digest(certificate, EVP_sha256(), digest, &length) != 1 ||
      PEM_write_bio_X509(pem.get(), certificate) != 1 ||
      X509_NAME_print_ex(subject.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) <
          0) {
    ERR_clear_error();
    return base::invalid_argument("The certificate cannot be written.");
  }
  out.fingerprint =
      absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), length));
  out.pem = text_of(pem);
  out.subject = text_of(subject);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ClientCa> parse_client_ca(std::string_view pem, std::int64_t now_s) {
  ASSIGN_OR_RETURN(const auto block, block_of(pem));
  ASSIGN_OR_RETURN(const auto certificate, read(block));
  RETURN_IF_ERROR(check_authority(certificate.get()));
  ClientCa ca;
  ASSIGN_OR_RETURN(ca.valid_s, seconds_of(X509_get0_notBefore(certificate.get())));
  ASSIGN_OR_RETURN(ca.expires_s, seconds_of(X509_get0_notAfter(certificate.get())));
  if (ca.expires_s <= now_s) return base::invalid_argument("The certificate has expired.");
  if (ca.expires_s <= ca.valid_s)
    return base::invalid_argument("The certificate expires before it is valid.");
  RETURN_IF_ERROR(describe(certificate.get(), ca));
  return ca;
}

}  // namespace plinth::governance
