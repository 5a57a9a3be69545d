// A length, the first bytes of a sealed file, and the key of one: its shape adds up, its head and
// the key are read as they were written.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "governance/sealed_file.h"
#include "governance/vault/file_format.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace plinth::governance;
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, data, size < 8 ? size : 8);
  if (const auto shape = file_shape(bytes); shape.ok()) {
    const auto sealed =
        kFileHeadBytes + shape->plain_bytes + std::uint64_t{shape->chunks} * kTagBytes;
    const auto least = std::uint64_t{shape->chunks - 1} * kChunkBytes;
    if (sealed != bytes || shape->plain_bytes < least || shape->plain_bytes > least + kChunkBytes)
      std::abort();
  }
  const std::string_view head(reinterpret_cast<const char*>(data), size);
  if (const auto parsed = parse_file_head(head); parsed.ok()) {
    if (file_head(parsed->key_id, parsed->salt) != head) std::abort();
  }
  if (const auto key = parse_file_key(head); key.ok() && to_bytes(*key) != head) std::abort();
  return 0;
}
