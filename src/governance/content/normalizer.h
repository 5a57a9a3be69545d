// The form of a text in which patterns are looked for: compatibility characters, case, accents,
// invisible characters and white space say nothing. Every normalised character knows the bytes of
// the text that it came from.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace plinth::governance {

struct NormalChar {
  char32_t code = 0;
  char32_t skeleton = 0;   // see skeleton.h
  bool ambiguous = false;  // the skeleton's
  bool word = false;       // part of a word, in scripts that part their words
  // Bytes [begin, end) of the text: of one character, which several normalised ones may share.
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Where more than kGapBytesMax bytes said nothing; no pattern has it, so that no match crosses it.
inline constexpr char32_t kGap = 0;

// Text comes in pieces; what comes out is the same however it is cut. The form is that of NFKC with
// case folding, decomposed, less combining marks for Latin, Greek and Cyrillic, Hebrew and Arabic
// vowel points, default-ignorable characters and controls; white space is one space; an ill-formed
// part is U+FFFD. Marks that stay are not put in canonical order.
class Normalizer {
 public:
  // `last` ends the text: an incomplete character is then ill-formed.
  void push(std::string_view text, bool last, std::vector<NormalChar>& out);
  // Bytes that have been read; what follows is an incomplete character.
  std::size_t read_bytes() const { return read_bytes_; }

 private:
  void add(char32_t code, std::size_t bytes, std::vector<NormalChar>& out);
  void add_part(char32_t code, std::size_t bytes, std::vector<NormalChar>& out);

  std::string partial_;  // up to 3 bytes of a character
  std::size_t read_bytes_ = 0;
  std::size_t said_nothing_bytes_ = 0;
  bool after_space_ = false;
};

// The normalised characters of a whole text, without white space at its ends.
std::u32string normalized(std::string_view text);

}  // namespace plinth::governance
