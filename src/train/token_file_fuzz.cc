// Any bytes as a file of tokens.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "train/token_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr std::int64_t kVocab = 40'000;
  const auto tokens =
      plinth::train::parse_token_file({reinterpret_cast<const char*>(data), size}, kVocab);
  if (!tokens.ok()) return 0;
  for (const auto token : *tokens) {
    if (token < 0 || token >= kVocab) std::abort();
  }
  return 0;
}
