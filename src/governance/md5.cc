#include "governance/md5.h"

#include <openssl/evp.h>

#include "absl/strings/escaping.h"
#include "base/check.h"

namespace plinth::governance {

struct Md5::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Impl() { EVP_MD_CTX_free(context); }
};

Md5::Md5(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Md5::Md5(Md5&&) noexcept = default;
Md5& Md5::operator=(Md5&&) noexcept = default;
Md5::~Md5() = default;

absl::StatusOr<Md5> Md5::open() {
  auto impl = std::make_unique<Impl>();
  if (EVP_DigestInit_ex(impl->context, EVP_md5(), nullptr) != 1)
    return base::unimplemented("This server computes no MD5: leave it out.");
  return Md5(std::move(impl));
}

void Md5::update(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()) == 1);
}

std::string Md5::hex() {
  std::string digest(16, '\0');
  CHECK(EVP_DigestFinal_ex(impl_->context, reinterpret_cast<unsigned char*>(digest.data()),
                           nullptr) == 1);
  return absl::BytesToHexString(base::to_absl(digest));
}

}  // namespace plinth::governance
