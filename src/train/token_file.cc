#include "train/token_file.h"

#include <fmt/format.h>

#include <cstring>

namespace plinth::train {

namespace {

constexpr std::size_t kHeaderNumbers = 256;  // of four bytes: magic, version, tokens, zeros
constexpr std::uint32_t kMagic = 20240520, kMagicWide = 20240801;

template <typename T>
T number_at(std::string_view bytes, std::size_t index) {
  T number;
  std::memcpy(&number, bytes.data() + index * sizeof(T), sizeof(T));
  return number;
}

template <typename T>
absl::StatusOr<std::vector<std::int32_t>> tokens_of(std::string_view bytes, std::int64_t vocab) {
  if (bytes.size() % sizeof(T) != 0) {
    return base::invalid_argument(
        fmt::format("{} bytes are no whole tokens of {} bytes", bytes.size(), sizeof(T)));
  }
  std::vector<std::int32_t> tokens(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto token = number_at<T>(bytes, i);
    if (token >= vocab) {
      return base::invalid_argument(
          fmt::format("token {} is {}: the vocabulary has {}", i, token, vocab));
    }
    tokens[i] = static_cast<std::int32_t>(token);
  }
  return tokens;
}

}  // namespace

absl::StatusOr<std::vector<std::int32_t>> parse_token_file(std::string_view bytes,
                                                           std::int64_t vocab) {
  constexpr auto kHeader = kHeaderNumbers * sizeof(std::uint32_t);
  const auto magic = bytes.size() < kHeader ? 0 : number_at<std::uint32_t>(bytes, 0);
  if (magic != kMagic && magic != kMagicWide) return tokens_of<std::uint16_t>(bytes, vocab);
  const auto said = number_at<std::uint32_t>(bytes, 2);
  bytes.remove_prefix(kHeader);
  const bool wide = magic == kMagicWide;
  const auto found = bytes.size() / (wide ? sizeof(std::uint32_t) : sizeof(std::uint16_t));
  if (found != said)
    return base::invalid_argument(fmt::format("the header says {} tokens, {} follow", said, found));
  return wide ? tokens_of<std::uint32_t>(bytes, vocab) : tokens_of<std::uint16_t>(bytes, vocab);
}

}  // namespace plinth::train
