#include "governance/content/normalizer.h"

#include <utf8proc.h>

#include <array>
#include <iterator>

#include "governance/content/skeleton.h"
#include "governance/content/utf8.h"
#include "governance/content_limits.h"

namespace plinth::governance {

namespace {

struct Range {
  char32_t first, last;
};

template <std::size_t n>
bool in_ranges(char32_t code, const std::array<Range, n>& ranges) {
  for (const Range& range : ranges) {
    if (code >= range.first && code <= range.last) return true;
  }
  return false;
}

// Marks of other scripts are letters' substance (Devanagari's vowels) and stay.
constexpr std::array kAccents = {
    Range{0x0300, 0x036F}, Range{0x0483, 0x0489}, Range{0x0591, 0x05BD}, Range{0x05BF, 0x05BF},
    Range{0x05C1, 0x05C2}, Range{0x05C4, 0x05C5}, Range{0x05C7, 0x05C7}, Range{0x064B, 0x065F},
    Range{0x0670, 0x0670}, Range{0x1AB0, 0x1AFF}, Range{0x1DC0, 0x1DFF}, Range{0x20D0, 0x20FF},
    Range{0xFE20, 0xFE2F}};

// Thai, Lao, Myanmar, Khmer, kana, Han: words follow one another without space.
constexpr std::array kUnspaced = {
    Range{0x0E00, 0x0EFF}, Range{0x1000, 0x109F}, Range{0x1780, 0x17FF}, Range{0x2E80, 0x2FDF},
    Range{0x3005, 0x312F}, Range{0x3400, 0x9FFF}, Range{0xF900, 0xFAFF}, Range{0x20000, 0x3FFFF}};

enum class Class { nothing, space, word, other };

Class ascii_class(char32_t code) {
  if (code == ' ' || (code >= '\t' && code <= '\r')) return Class::space;
  if (code < 0x20 || code == 0x7F) return Class::nothing;
  const bool alphanumeric = (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z');
  return alphanumeric ? Class::word : Class::other;
}

Class class_of(char32_t code) {
  if (code < 0x80) return ascii_class(code);
  if (code == 0x85) return Class::space;
  if (in_ranges(code, kAccents)) return Class::nothing;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return Class::space;
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
      return Class::nothing;
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return in_ranges(code, kUnspaced) ? Class::other : Class::word;
    default:
      return Class::other;
  }
}

constexpr auto kForm = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT |
                                                      UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);

}  // namespace

void Normalizer::add_part(char32_t code, std::size_t bytes, std::vector<NormalChar>& out) {
  const Class its_class = class_of(code);
  if (its_class == Class::nothing || (its_class == Class::space && after_space_)) return;
  after_space_ = its_class == Class::space;
  said_nothing_bytes_ = 0;
  NormalChar added{.code = after_space_ ? U' ' : code};
  const Skeleton skeleton = skeleton_of(added.code);
  added.skeleton = skeleton.letter;
  added.ambiguous = skeleton.ambiguous;
  added.word = its_class == Class::word;
  added.begin = read_bytes_;
  added.end = read_bytes_ + bytes;
  out.push_back(added);
}

void Normalizer::add(char32_t code, std::size_t bytes, std::vector<NormalChar>& out) {
  said_nothing_bytes_ += bytes;
  if (code < 0x80) {
    add_part(code >= 'A' && code <= 'Z' ? code + 32 : code, bytes, out);
  } else {
    // The longest decomposition, of U+FDFA, has 18 characters.
    std::array<utf8proc_int32_t, 32> parts{};
    int boundary = UTF8PROC_BOUNDCLASS_START;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code), parts.data(),
                                               std::size(parts), kForm, &boundary);
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
      add_part(static_cast<char32_t>(parts[static_cast<std::size_t>(i)]), bytes, out);
    }
  }
  if (said_nothing_bytes_ > kGapBytesMax) {
    out.push_back({.code = kGap, .begin = read_bytes_, .end = read_bytes_ + bytes});
    said_nothing_bytes_ = 0;
  }
  read_bytes_ += bytes;
}

void Normalizer::push(std::string_view text, bool last, std::vector<NormalChar>& out) {
  std::string joined;
  if (!partial_.empty()) {
    joined = partial_;
    joined += text;
    partial_.clear();
    text = joined;
  }
  while (!text.empty()) {
    const Utf8Char next = first_utf8(text);
    if (next.read == Utf8Read::incomplete && !last) {
      partial_ = text;
      return;
    }
    add(next.code, next.bytes, out);
    text.remove_prefix(next.bytes);
  }
}

std::u32string normalized(std::string_view text) {
  std::vector<NormalChar> chars;
  Normalizer().push(text, true, chars);
  std::u32string out;
  for (const NormalChar& c : chars) out += c.code;
  const auto begin = out.find_first_not_of(U' ');
  if (begin == std::u32string::npos) return {};
  return out.substr(begin, out.find_last_not_of(U' ') - begin + 1);
}

}  // namespace plinth::governance
