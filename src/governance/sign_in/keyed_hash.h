// One-way names for what must not be stored or compared in the clear.
#pragma once

#include <string>
#include <string_view>

namespace plinth::governance {

// HMAC-SHA256 in 64 hexadecimal digits.
std::string keyed_hash(std::string_view key, std::string_view text);
// SHA-256, 32 raw bytes.
std::string sha256(std::string_view text);
// Whether two texts are equal, in a time that tells nothing of where they differ.
bool same_secret(std::string_view a, std::string_view b);

}  // namespace plinth::governance
