// GPT-2 writes each byte as a printable character: the printable ones as themselves, the others as
// 256, 257, ... in order.
// Radford et al., "Language models are unsupervised multitask learners", 2019, released encoder.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace plinth::model {

// By byte: the code point that stands for it.
const std::array<std::uint32_t, 256>& byte_alphabet();
// The bytes that `token` stands for; nullopt where a character stands for none.
std::optional<std::string> bytes_of_alphabet(std::string_view token);

// "<0x0A>" as 10; nullopt for any other text.
std::optional<unsigned char> byte_token_value(std::string_view token);
std::string byte_token_text(unsigned char byte);

}  // namespace plinth::model
