#include "governance/audit/signing_key.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>

#include "absl/strings/escaping.h"
#include "base/check.h"
#include "governance/sign_in/keyed_hash.h"
#include "governance/vault/secret_file.h"

namespace plinth::governance {

namespace {

constexpr std::size_t kPemBytesMax = 4096;  // of Ed25519: about 120
constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kIdDigits = 16;

using Key = std::shared_ptr<evp_pkey_st>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Digest = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

Key owned(EVP_PKEY* key) { return {key, EVP_PKEY_free}; }
Digest digest() { return {EVP_MD_CTX_new(), EVP_MD_CTX_free}; }

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Bio reader(std::string_view text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free};
}

template <typename Write>
std::string written(const Write& write) {
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  CHECK(bio != nullptr && write(bio.get()) == 1);
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

bool is_ed25519(const Key& key) {
  return key != nullptr && EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_ED25519;
}

// Never asks a person for a password.
int no_password(char*, int, int, void*) { return -1; }

absl::StatusOr<Key> parse_private(const std::string& path, std::string_view pem) {
  auto key = owned(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, no_password, nullptr));
  if (is_ed25519(key)) return key;
  return base::failed_precondition(path + ": damaged; checkpoints cannot be signed without it");
}

constexpr char kName[] = "audit_key";
std::string key_path(const std::string& home) { return home + "/secrets/" + kName; }

}  // namespace

absl::StatusOr<VerifyingKey> VerifyingKey::of(Key key) {
  if (!is_ed25519(key)) return base::invalid_argument("[audit] no public key of Ed25519");
  std::array<unsigned char, 32> raw{};
  std::size_t size = raw.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), raw.data(), &size) != 1 || size != raw.size())
    return base::invalid_argument("[audit] no public key of Ed25519");
  VerifyingKey made;
  made.id_ = absl::BytesToHexString(
                 base::to_absl(sha256({reinterpret_cast<const char*>(raw.data()), size})))
                 .substr(0, kIdDigits);
  made.pem_ = written([&](BIO* bio) { return PEM_write_bio_PUBKEY(bio, key.get()); });
  made.key_ = std::move(key);
  return made;
}

absl::StatusOr<VerifyingKey> VerifyingKey::parse(std::string_view pem) {
  if (pem.size() > kPemBytesMax) return base::invalid_argument("[audit] too long for a public key");
  return of(owned(PEM_read_bio_PUBKEY(reader(pem).get(), nullptr, no_password, nullptr)));
}

bool VerifyingKey::verify(std::string_view text, std::string_view signature) const {
  const auto context = digest();
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text),
                          text.size()) == 1;
}

absl::StatusOr<SigningKey> SigningKey::of(Key key) {
  SigningKey made;
  ASSIGN_OR_RETURN(made.public_, VerifyingKey::of(key));
  made.key_ = std::move(key);
  return made;
}

absl::StatusOr<SigningKey> SigningKey::make() {
  auto key = owned(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (key == nullptr) return base::internal("[audit] no key could be made");
  return of(std::move(key));
}

absl::StatusOr<SigningKey> SigningKey::open(const std::string& home) {
  const auto path = key_path(home);
  const auto pem = read_secret(home, kName);
  if (pem.ok()) {
    ASSIGN_OR_RETURN(auto key, parse_private(path, *pem));
    return of(std::move(key));
  }
  if (!absl::IsNotFound(pem.status())) return pem.status();
  ASSIGN_OR_RETURN(auto made, make());
  const auto text = written([&](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, made.key_.get(), nullptr, nullptr, 0, nullptr,
                                         nullptr);
  });
  RETURN_IF_ERROR(write_secret(home, kName, text));
  return made;
}

std::string SigningKey::sign(std::string_view text) const {
  const auto context = digest();
  std::string signature(kSignatureBytes, '\0');
  std::size_t size = signature.size();
  CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1);
  CHECK(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                       bytes_of(text), text.size()) == 1);
  return signature;
}

absl::StatusOr<VerifyingKey> read_home_key(const std::string& home) {
  const auto path = key_path(home);
  ASSIGN_OR_RETURN(const auto pem, read_secret(home, kName));
  ASSIGN_OR_RETURN(auto key, parse_private(path, pem));
  return VerifyingKey::parse(
      written([&](BIO* bio) { return PEM_write_bio_PUBKEY(bio, key.get()); }));
}

}  // namespace plinth::governance
