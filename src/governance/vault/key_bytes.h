// 256 bits of a key, wiped from memory at the end of their life.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "governance/random_bytes.h"

namespace plinth::governance {

class KeyBytes {
 public:
  static constexpr std::size_t kSize = 32;
  // Internal where `bytes` are not kSize.
  static absl::StatusOr<KeyBytes> of(std::string_view bytes);
  static absl::StatusOr<KeyBytes> make(const RandomBytes& random);

  KeyBytes(const KeyBytes&) = default;
  KeyBytes& operator=(const KeyBytes&) = default;
  ~KeyBytes();
  const std::uint8_t* data() const { return bytes_.data(); }
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

 private:
  KeyBytes() = default;
  std::array<std::uint8_t, kSize> bytes_{};
};

// Overwrites what held a key before it goes.
void wipe(std::string& text);

}  // namespace plinth::governance
