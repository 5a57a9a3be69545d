#include "model/tokenize/byte_alphabet.h"

#include <fmt/format.h>

#include "model/tokenize/unicode.h"
#include "model/tokenize/utf8.h"

namespace plinth::model {

namespace {

constexpr std::uint32_t kAlphabetEnd = 256 + 68;  // 68 bytes are not printable

std::array<std::int16_t, kAlphabetEnd> inverse() {
  std::array<std::int16_t, kAlphabetEnd> bytes;
  bytes.fill(-1);
  for (std::uint32_t b = 0; b < 256; ++b) bytes[byte_alphabet()[b]] = static_cast<std::int16_t>(b);
  return bytes;
}

}  // namespace

const std::array<std::uint32_t, 256>& byte_alphabet() {
  static const std::array<std::uint32_t, 256> kAlphabet = [] {
    std::array<std::uint32_t, 256> alphabet{};
    std::uint32_t next = 256;
    for (std::uint32_t b = 0; b < 256; ++b) {
      const bool printable =
          (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
      alphabet[b] = printable ? b : next++;
    }
    return alphabet;
  }();
  return kAlphabet;
}

std::optional<std::string> bytes_of_alphabet(std::string_view token) {
  static const auto kInverse = inverse();
  std::string bytes;
  while (!token.empty()) {
    bool incomplete = false;
    if (utf8_length(token, incomplete) == 0) return std::nullopt;
    const Character c = first_character(token);
    if (c.code >= kAlphabetEnd || kInverse[c.code] < 0) return std::nullopt;
    bytes += static_cast<char>(kInverse[c.code]);
    token.remove_prefix(c.bytes);
  }
  return bytes;
}

std::optional<unsigned char> byte_token_value(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
    if (!digit && !letter) return std::nullopt;
    value = value * 16 + (digit ? c - '0' : (c | 32) - 'a' + 10);
  }
  return static_cast<unsigned char>(value);
}

std::string byte_token_text(unsigned char byte) { return fmt::format("<0x{:02X}>", byte); }

}  // namespace plinth::model
