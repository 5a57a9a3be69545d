// UTF-8 validity, after Unicode 15, table 3-7.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace plinth::model {

// Bytes of the valid character at the start of `text`; 0 where there is none. `incomplete` is set
// where the bytes could still become one.
std::size_t utf8_length(std::string_view text, bool& incomplete);

// Bytes of the maximal ill-formed part at the start of `text`, where no valid character is.
std::size_t utf8_ill_formed_length(std::string_view text);

// Every maximal ill-formed part replaced by U+FFFD.
std::string utf8_repaired(std::string_view text);

void append_utf8(std::string& out, std::uint32_t code_point);

}  // namespace plinth::model
