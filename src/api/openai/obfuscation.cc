#include "api/openai/obfuscation.h"

#include <array>
#include <string_view>

#include "base/random.h"

namespace plinth::api {

namespace {

// Longer than nearly every token, so that one and the next fall into the same step.
constexpr std::size_t kStepBytes = 16;
constexpr std::string_view kLetters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
static_assert(kLetters.size() == 64);

}  // namespace

void Obfuscator::append(std::string& out, std::size_t text_bytes) {
  const std::uint64_t chunk = chunks_++;
  const auto draw = [&](std::uint32_t part) {
    return base::philox4x32(
        {static_cast<std::uint32_t>(chunk), static_cast<std::uint32_t>(chunk >> 32), part, 0},
        {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
  };
  const auto first = draw(0);
  const std::size_t length = kStepBytes - text_bytes % kStepBytes + first[0] % kStepBytes;
  out += R"(,"obfuscation":")";
  // One draw makes 16 letters; a padding has 32 at most.
  for (std::uint32_t part = 1; (part - 1) * 16 < length; ++part) {
    const auto words = draw(part);
    for (std::size_t i = 0; i < 16 && (part - 1) * 16 + i < length; ++i)
      out += kLetters[(words[i / 4] >> (8 * (i % 4))) & 63];
  }
  out += '"';
}

}  // namespace plinth::api
