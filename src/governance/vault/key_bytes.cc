#include "governance/vault/key_bytes.h"

#include <openssl/crypto.h>

#include <algorithm>

namespace plinth::governance {

absl::StatusOr<KeyBytes> KeyBytes::of(std::string_view bytes) {
  if (bytes.size() != kSize) return base::internal("[vault] a key has 32 bytes");
  KeyBytes key;
  std::copy(bytes.begin(), bytes.end(), key.bytes_.begin());
  return key;
}

absl::StatusOr<KeyBytes> KeyBytes::make(const RandomBytes& random) {
  ASSIGN_OR_RETURN(auto bytes, random(kSize));
  auto key = of(bytes);
  wipe(bytes);
  return key;
}

KeyBytes::~KeyBytes() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

void wipe(std::string& text) { OPENSSL_cleanse(text.data(), text.size()); }

}  // namespace plinth::governance
