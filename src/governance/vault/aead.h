// AES-256-GCM (NIST SP 800-38D) and HKDF-SHA256 (RFC 5869), over OpenSSL.
//
// Nonces: nobody counts them. Every sealed thing gets a key of its own, derived from a data key and
// 24 random bytes of salt, and uses nonces that are fixed by what they seal (0 of a box, the number
// of a file's chunk). A pair of key and nonce comes twice only where a salt does: with 2^64 sealed
// things under one data key the chance is 2^-65.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "governance/vault/key_bytes.h"

struct evp_cipher_ctx_st;

namespace plinth::governance {

inline constexpr std::size_t kTagBytes = 16;
inline constexpr std::size_t kNonceBytes = 12;
inline constexpr std::size_t kSaltBytes = 24;

// HKDF's output of 32 bytes. `purpose` keeps keys of one salt apart.
KeyBytes derive_key(const KeyBytes& key, std::string_view salt, std::string_view purpose);

// Seals and opens under one key. Not thread-safe.
class Aead {
 public:
  explicit Aead(const KeyBytes& key);
  // Appends ciphertext and tag. `nonce`: kNonceBytes, never the same twice.
  void seal(std::string_view nonce, std::string_view bound_to, std::string_view plain,
            std::string& out);
  // Appends the plain bytes. DataLoss where anything is not what was sealed; then `out` is as
  // before.
  absl::Status open(std::string_view nonce, std::string_view bound_to, std::string_view sealed,
                    std::string& out);

 private:
  KeyBytes key_;
  std::shared_ptr<evp_cipher_ctx_st> context_;  // shared: for its deleter; never handed out
};

}  // namespace plinth::governance
