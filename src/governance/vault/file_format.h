// The bytes of a sealed file; sealed_file.h draws them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "governance/vault/sealed_box.h"

namespace plinth::governance {

inline constexpr std::string_view kFileMagic{"PLNTFIL\x01", 8};
inline constexpr std::size_t kFileHeadBytes = kFileMagic.size() + kKeyIdBytes + kSaltBytes;
// A tag for each 64 KiB costs 0.02 % of space; a read of one byte opens so much.
inline constexpr std::size_t kChunkBytes = 64u << 10;
inline constexpr std::size_t kSealedChunkBytes = kChunkBytes + kTagBytes;
inline constexpr std::string_view kFilePurpose = "plinth sealed file 1";

struct FileShape {
  std::uint32_t chunks = 0;  // at least one: an empty file has an empty chunk
  std::uint64_t plain_bytes = 0;
};
// Of a file of so many bytes, head and all. DataLoss where no sealed file has that length.
absl::StatusOr<FileShape> file_shape(std::uint64_t file_bytes);

std::string file_head(std::string_view key_id, std::string_view salt);
struct FileHead {
  std::string key_id, salt;  // raw
};
// DataLoss where it is none.
absl::StatusOr<FileHead> parse_file_head(std::string_view bytes);

std::string chunk_nonce(std::uint32_t number, bool is_last);

}  // namespace plinth::governance
