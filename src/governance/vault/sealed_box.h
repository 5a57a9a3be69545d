// A small thing that is sealed as a whole: a wrapped key, a secret, a document.
//
//   byte 0       1, the version
//   bytes 1-16   id of the key under which it is sealed
//   bytes 17-40  salt
//   the rest     ciphertext and tag of AES-256-GCM, nonce 0, under the key derived from that key
//   and
//                the salt; bound to bytes 0-40 and to what the thing is
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "governance/sealed_for.h"
#include "governance/vault/aead.h"
#include "governance/vault/key_bytes.h"

namespace plinth::governance {

inline constexpr std::size_t kKeyIdBytes = 16;
inline constexpr std::size_t kBoxHeadBytes = 1 + kKeyIdBytes + kSaltBytes;

// Unambiguous: no two places have the same bytes.
std::string bound_bytes(const SealedFor& place);

// `key_id`: kKeyIdBytes raw bytes.
absl::StatusOr<std::string> seal_box(const KeyBytes& key, std::string_view key_id,
                                     const SealedFor& place, std::string_view plain,
                                     const RandomBytes& random);
// DataLoss where it is not what was sealed there.
absl::StatusOr<std::string> open_box(const KeyBytes& key, const SealedFor& place,
                                     std::string_view box);
// Raw id of the key of a box. DataLoss where it is no box of a version that is known.
absl::StatusOr<std::string> box_key_id(std::string_view box);

}  // namespace plinth::governance
