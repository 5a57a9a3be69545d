#include "governance/content/skeleton.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace plinth::governance {

namespace {

struct Look {
  char32_t code;
  char letter;
};

// A choice from Unicode Technical Standard 39's confusables, after case folding: Cyrillic and Greek
// letters also by the look of their capitals. In rising order.
constexpr Look kOtherScripts[] = {
    {U'α', 'a'}, {U'β', 'b'}, {U'γ', 'y'}, {U'ε', 'e'}, {U'ζ', 'z'}, {U'η', 'n'}, {U'ι', 'i'},
    {U'κ', 'k'}, {U'μ', 'm'}, {U'ν', 'v'}, {U'ο', 'o'}, {U'ρ', 'p'}, {U'τ', 't'}, {U'υ', 'u'},
    {U'χ', 'x'}, {U'ω', 'w'}, {U'а', 'a'}, {U'в', 'b'}, {U'е', 'e'}, {U'к', 'k'}, {U'м', 'm'},
    {U'н', 'h'}, {U'о', 'o'}, {U'р', 'p'}, {U'с', 'c'}, {U'т', 't'}, {U'у', 'y'}, {U'х', 'x'},
    {U'ѕ', 's'}, {U'і', 'i'}, {U'ј', 'j'}, {U'ѵ', 'v'}, {U'һ', 'h'}, {U'ӏ', 'l'}, {U'ԁ', 'd'},
    {U'ԛ', 'q'}, {U'ԝ', 'w'},
};

// Variants of Latin letters that no normal form unites with them. In rising order.
constexpr Look kLatin[] = {
    {U'ø', 'o'}, {U'đ', 'd'}, {U'ħ', 'h'}, {U'ı', 'i'}, {U'ł', 'l'}, {U'ŧ', 't'}, {U'ƒ', 'f'},
    {U'ɑ', 'a'}, {U'ɡ', 'g'}, {U'ɢ', 'g'}, {U'ɩ', 'i'}, {U'ɪ', 'i'}, {U'ɴ', 'n'}, {U'ʀ', 'r'},
    {U'ʏ', 'y'}, {U'ʙ', 'b'}, {U'ʜ', 'h'}, {U'ʟ', 'l'}, {U'ᴀ', 'a'}, {U'ᴄ', 'c'}, {U'ᴅ', 'd'},
    {U'ᴇ', 'e'}, {U'ᴊ', 'j'}, {U'ᴋ', 'k'}, {U'ᴍ', 'm'}, {U'ᴏ', 'o'}, {U'ᴘ', 'p'}, {U'ᴛ', 't'},
    {U'ᴜ', 'u'}, {U'ᴠ', 'v'}, {U'ᴡ', 'w'}, {U'ᴢ', 'z'}, {U'ꜰ', 'f'}, {U'ꜱ', 's'},
};

constexpr bool rising(const Look& a, const Look& b) { return a.code < b.code; }
static_assert(std::is_sorted(std::begin(kOtherScripts), std::end(kOtherScripts), rising));
static_assert(std::is_sorted(std::begin(kLatin), std::end(kLatin), rising));

template <std::size_t n>
char32_t look_up(const Look (&table)[n], char32_t code) {
  const auto* found = std::lower_bound(std::begin(table), std::end(table), Look{code, 0}, rising);
  return found != std::end(table) && found->code == code ? static_cast<char32_t>(found->letter) : 0;
}

Skeleton ascii_skeleton(char32_t code) {
  switch (code) {
    case U'0':
      return {U'o', true};
    case U'1':
    case U'!':
      return {U'i', true};
    case U'3':
      return {U'e', true};
    case U'4':
    case U'@':
      return {U'a', true};
    case U'5':
    case U'$':
      return {U's', true};
    case U'7':
      return {U't', true};
    case U'|':
      return {U'l', true};
    case U'-':
    case U'_':
      return {U' ', false};
    default:
      return {code, false};
  }
}

// Letters in squares and circles that have no compatibility decomposition.
struct Enclosed {
  char32_t first, last;
};
constexpr std::array kEnclosed = {Enclosed{0x1F150, 0x1F169}, Enclosed{0x1F170, 0x1F189},
                                  Enclosed{0x1F1E6, 0x1F1FF}};

}  // namespace

Skeleton skeleton_of(char32_t code) {
  if (code < 0x80) return ascii_skeleton(code);
  if (const char32_t letter = look_up(kLatin, code)) return {letter, false};
  if (const char32_t letter = look_up(kOtherScripts, code)) return {letter, true};
  for (const Enclosed& range : kEnclosed) {
    if (code >= range.first && code <= range.last) return {U'a' + (code - range.first), false};
  }
  return {code, false};
}

}  // namespace plinth::governance
