#include "governance/vault/aead.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>

#include "base/check.h"

namespace plinth::governance {

namespace {

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text, std::size_t at) {
  return reinterpret_cast<unsigned char*>(text.data() + at);
}

}  // namespace

KeyBytes derive_key(const KeyBytes& key, std::string_view salt, std::string_view purpose) {
  const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(
      EVP_KDF_fetch(nullptr, "HKDF", nullptr), &EVP_KDF_free);
  CHECK(kdf != nullptr);
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(
      EVP_KDF_CTX_new(kdf.get()), &EVP_KDF_CTX_free);
  // OpenSSL takes parameters that it may write to, and does not write to these.
  const auto octets = [](const char* name, std::string_view value) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(value.data()), value.size());
  };
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      octets(OSSL_KDF_PARAM_KEY, key.view()), octets(OSSL_KDF_PARAM_SALT, salt),
      octets(OSSL_KDF_PARAM_INFO, purpose), OSSL_PARAM_construct_end()};
  std::string out(KeyBytes::kSize, '\0');
  CHECK(EVP_KDF_derive(context.get(), bytes_of(out, 0), out.size(), parameters) == 1);
  auto derived = KeyBytes::of(out);
  wipe(out);
  return *std::move(derived);
}

Aead::Aead(const KeyBytes& key) : key_(key), context_(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free) {
  CHECK(context_ != nullptr);
}

void Aead::seal(std::string_view nonce, std::string_view bound_to, std::string_view plain,
                std::string& out) {
  CHECK(nonce.size() == kNonceBytes);
  auto* context = context_.get();
  const auto start = out.size();
  out.resize(start + plain.size() + kTagBytes);
  int count = 0;
  bool good =
      EVP_EncryptInit_ex2(context, EVP_aes_256_gcm(), key_.data(), bytes_of(nonce), nullptr) == 1 &&
      EVP_EncryptUpdate(context, nullptr, &count, bytes_of(bound_to),
                        static_cast<int>(bound_to.size())) == 1;
  // OpenSSL takes no empty text as one.
  if (!plain.empty()) {
    good = good && EVP_EncryptUpdate(context, bytes_of(out, start), &count, bytes_of(plain),
                                     static_cast<int>(plain.size())) == 1;
  }
  good = good && EVP_EncryptFinal_ex(context, bytes_of(out, start + plain.size()), &count) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kTagBytes),
                             bytes_of(out, start + plain.size())) == 1;
  CHECK(good);
}

absl::Status Aead::open(std::string_view nonce, std::string_view bound_to, std::string_view sealed,
                        std::string& out) {
  CHECK(nonce.size() == kNonceBytes);
  if (sealed.size() < kTagBytes) return base::data_loss("[vault] too short to be sealed");
  auto* context = context_.get();
  const auto cipher = sealed.substr(0, sealed.size() - kTagBytes);
  std::string tag(sealed.substr(cipher.size()));
  const auto start = out.size();
  out.resize(start + cipher.size());
  int count = 0;
  CHECK(EVP_DecryptInit_ex2(context, EVP_aes_256_gcm(), key_.data(), bytes_of(nonce), nullptr) ==
        1);
  CHECK(EVP_DecryptUpdate(context, nullptr, &count, bytes_of(bound_to),
                          static_cast<int>(bound_to.size())) == 1);
  if (!cipher.empty()) {
    CHECK(EVP_DecryptUpdate(context, bytes_of(out, start), &count, bytes_of(cipher),
                            static_cast<int>(cipher.size())) == 1);
  }
  CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(kTagBytes),
                            bytes_of(tag, 0)) == 1);
  unsigned char none = 0;
  if (EVP_DecryptFinal_ex(context, &none, &count) == 1) return absl::OkStatus();
  // Plain bytes that nobody vouches for are nobody's to see.
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(start), out.end(), '\0');
  out.resize(start);
  return base::data_loss("[vault] not what was sealed, or not for this place");
}

}  // namespace plinth::governance
