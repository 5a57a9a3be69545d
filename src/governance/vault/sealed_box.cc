#include "governance/vault/sealed_box.h"

#include <array>

#include "base/check.h"

namespace plinth::governance {

namespace {

constexpr char kVersion = 1;
constexpr std::string_view kPurpose = "plinth sealed box 1";

std::string nonce() { return std::string(kNonceBytes, '\0'); }

}  // namespace

std::string bound_bytes(const SealedFor& place) {
  std::string out;
  for (const std::string_view part :
       {std::string_view(place.organization), std::string_view(place.project),
        std::string_view(place.kind), std::string_view(place.id)}) {
    // Lengths before texts: "ab" + "c" is not "a" + "bc".
    for (int shift = 56; shift >= 0; shift -= 8)
      out += static_cast<char>(static_cast<std::uint64_t>(part.size()) >> shift & 0xff);
    out += part;
  }
  return out;
}

absl::StatusOr<std::string> seal_box(const KeyBytes& key, std::string_view key_id,
                                     const SealedFor& place, std::string_view plain,
                                     const RandomBytes& random) {
  CHECK(key_id.size() == kKeyIdBytes);
  ASSIGN_OR_RETURN(const auto salt, random(kSaltBytes));
  std::string box(1, kVersion);
  box += key_id;
  box += salt;
  Aead aead(derive_key(key, salt, kPurpose));
  const auto bound = box + bound_bytes(place);
  aead.seal(nonce(), bound, plain, box);
  return box;
}

absl::StatusOr<std::string> box_key_id(std::string_view box) {
  if (box.size() < kBoxHeadBytes + kTagBytes || box.front() != kVersion)
    return base::data_loss("[vault] nothing that this version sealed");
  return std::string(box.substr(1, kKeyIdBytes));
}

absl::StatusOr<std::string> open_box(const KeyBytes& key, const SealedFor& place,
                                     std::string_view box) {
  RETURN_IF_ERROR(box_key_id(box).status());
  const auto head = box.substr(0, kBoxHeadBytes);
  Aead aead(derive_key(key, head.substr(1 + kKeyIdBytes), kPurpose));
  std::string plain;
  RETURN_IF_ERROR(
      aead.open(nonce(), std::string(head) + bound_bytes(place), box.substr(kBoxHeadBytes), plain));
  return plain;
}

}  // namespace plinth::governance
