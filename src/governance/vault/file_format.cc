#include "governance/vault/file_format.h"

#include <limits>

namespace plinth::governance {

absl::StatusOr<FileShape> file_shape(std::uint64_t file_bytes) {
  const auto bad = [] { return base::data_loss("[vault] no sealed file has such a length"); };
  if (file_bytes < kFileHeadBytes + kTagBytes) return bad();
  const std::uint64_t body = file_bytes - kFileHeadBytes;
  // Before the sum below may overflow.
  if (body > kSealedChunkBytes * std::uint64_t{std::numeric_limits<std::uint32_t>::max()})
    return bad();
  const std::uint64_t chunks = (body + kSealedChunkBytes - 1) / kSealedChunkBytes;
  const std::uint64_t last = body - (chunks - 1) * kSealedChunkBytes;
  // Only the file that is empty has an empty chunk.
  if (last < kTagBytes || (last == kTagBytes && chunks > 1)) return bad();
  return FileShape{static_cast<std::uint32_t>(chunks), body - chunks * kTagBytes};
}

std::string file_head(std::string_view key_id, std::string_view salt) {
  std::string head(kFileMagic);
  head += key_id;
  head += salt;
  return head;
}

absl::StatusOr<FileHead> parse_file_head(std::string_view bytes) {
  if (bytes.size() != kFileHeadBytes || !bytes.starts_with(kFileMagic))
    return base::data_loss("[vault] no sealed file of a version that is known");
  return FileHead{std::string(bytes.substr(kFileMagic.size(), kKeyIdBytes)),
                  std::string(bytes.substr(kFileMagic.size() + kKeyIdBytes))};
}

std::string chunk_nonce(std::uint32_t number, bool is_last) {
  std::string nonce(kNonceBytes - 5, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) nonce += static_cast<char>(number >> shift & 0xff);
  nonce += is_last ? '\1' : '\0';
  return nonce;
}

}  // namespace plinth::governance
