// Ed25519 (RFC 8032): the key that signs checkpoints, and its public half that checks them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

struct evp_pkey_st;

namespace plinth::governance {

// Constant after construction; thread-safe.
class VerifyingKey {
 public:
  // A public key in PEM. InvalidArgument where it is none of Ed25519.
  static absl::StatusOr<VerifyingKey> parse(std::string_view pem);

  // The first 16 hex digits of the SHA-256 of its 32 bytes.
  const std::string& id() const { return id_; }
  const std::string& pem() const { return pem_; }
  bool verify(std::string_view text, std::string_view signature) const;

 private:
  friend class SigningKey;
  VerifyingKey() = default;
  static absl::StatusOr<VerifyingKey> of(std::shared_ptr<evp_pkey_st> key);

  std::shared_ptr<evp_pkey_st> key_;  // shared: copies are of one key that nobody changes
  std::string id_, pem_;
};

// Constant after construction; thread-safe.
class SigningKey {
 public:
  // secrets/audit_key of a home, which is made (0600) where it is missing. FailedPrecondition where
  // it is damaged.
  static absl::StatusOr<SigningKey> open(const std::string& home);
  static absl::StatusOr<SigningKey> make();

  const VerifyingKey& verifying() const { return public_; }
  std::string sign(std::string_view text) const;  // 64 bytes

 private:
  SigningKey() = default;
  static absl::StatusOr<SigningKey> of(std::shared_ptr<evp_pkey_st> key);

  std::shared_ptr<evp_pkey_st> key_;
  VerifyingKey public_;
};

// The public half of a home's key. NotFound before the first start.
absl::StatusOr<VerifyingKey> read_home_key(const std::string& home);

}  // namespace plinth::governance
