// Characters: code points, classes, case and normal forms, as Hugging Face's tokenizers see them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace plinth::model {

// The character at the start of `text`, which is well-formed and not empty.
struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 0;
};
Character first_character(std::string_view text);

// Unicode's White_Space.
bool is_white_space(std::uint32_t code);
// The classes of BertNormalizer and BertPreTokenizer (Unicode 8 with their deviations).
bool bert_removes(std::uint32_t code);
bool bert_nonspacing_mark(std::uint32_t code);
bool bert_punctuation(std::uint32_t code);
bool bert_cjk(std::uint32_t code);
// General categories Mn, Mc, Me.
bool is_mark(std::uint32_t code);

enum class NormalForm { nfc, nfd, nfkc, nfkd };
// Unicode Standard Annex 15. O(n log n) whatever the order of combining marks.
std::string to_normal_form(std::string_view text, NormalForm form);

// Character by character, without the rule for final sigma.
std::string to_lower(std::string_view text);

// `text` without white space at its ends.
std::string_view stripped(std::string_view text, bool left, bool right);

}  // namespace plinth::model
