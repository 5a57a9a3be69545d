// UTF-8 read from pieces of text that may be cut anywhere and may be ill-formed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace plinth::governance {

enum class Utf8Read { valid, ill_formed, incomplete };

struct Utf8Char {
  Utf8Read read = Utf8Read::valid;
  char32_t code = 0;  // U+FFFD where ill-formed
  // Where ill-formed the maximal ill-formed part, where incomplete all of the text.
  std::size_t bytes = 0;
};

// The character at the start of `text`, which is not empty. Unicode 15, table 3-7.
Utf8Char first_utf8(std::string_view text);

// Bytes at the end of `text` that more bytes could make a character: 0 to 3.
std::size_t incomplete_tail(std::string_view text);

void append_utf8(std::string& out, char32_t code);

}  // namespace plinth::governance
