#include "model/tokenize/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <span>
#include <vector>

#include "model/tokenize/utf8.h"

namespace plinth::model {

namespace {

struct CodeRange {
  std::uint32_t first, last;
};

#include "model/tokenize/bert_unicode.inc"

constexpr CodeRange kCjk[] = {
    {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xf900, 0xfaff},   {0x20000, 0x2a6df},
    {0x2a700, 0x2b81f}, {0x2b920, 0x2ceaf}, {0x2f800, 0x2fa1f},
};

bool in(std::span<const CodeRange> ranges, std::uint32_t code) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), code,
                                      [](std::uint32_t c, const auto& r) { return c < r.first; });
  return after != ranges.begin() && code <= std::prev(after)->last;
}

utf8proc_int32_t signed_code(std::uint32_t code) { return static_cast<utf8proc_int32_t>(code); }

void decompose(std::string_view text, bool compatibility, std::vector<utf8proc_int32_t>& out) {
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | (compatibility ? UTF8PROC_COMPAT : 0));
  // The longest decomposition has 18 characters.
  utf8proc_int32_t parts[32];
  int boundary = 0;
  while (!text.empty()) {
    const Character c = first_character(text);
    text.remove_prefix(c.bytes);
    const auto count =
        utf8proc_decompose_char(signed_code(c.code), parts, std::size(parts), options, &boundary);
    if (count < 1 || count > static_cast<utf8proc_ssize_t>(std::size(parts))) {
      out.push_back(signed_code(c.code));
    } else {
      out.insert(out.end(), parts, parts + count);
    }
  }
}

// Combining marks after each starter, by class. A stable sort: the insertion sort of the usual
// libraries takes quadratic time on a long run of marks, which a request could send.
void order_marks(std::vector<utf8proc_int32_t>& codes) {
  const auto combining = [](utf8proc_int32_t code) {
    return utf8proc_get_property(code)->combining_class;
  };
  for (auto at = codes.begin(); at != codes.end();) {
    at = std::find_if(at, codes.end(), [&](auto c) { return combining(c) != 0; });
    const auto end = std::find_if(at, codes.end(), [&](auto c) { return combining(c) == 0; });
    std::stable_sort(at, end, [&](auto a, auto b) { return combining(a) < combining(b); });
    at = end;
  }
}

}  // namespace

Character first_character(std::string_view text) {
  const auto b = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
  };
  if (b(0) < 0x80) return {b(0), 1};
  if (b(0) < 0xE0) return {(b(0) & 31) << 6 | (b(1) & 63), 2};
  if (b(0) < 0xF0) return {(b(0) & 15) << 12 | (b(1) & 63) << 6 | (b(2) & 63), 3};
  return {(b(0) & 7) << 18 | (b(1) & 63) << 12 | (b(2) & 63) << 6 | (b(3) & 63), 4};
}

bool is_white_space(std::uint32_t c) {
  return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}
bool bert_removes(std::uint32_t code) { return in(kRemovedByCleaning, code); }
bool bert_nonspacing_mark(std::uint32_t code) { return in(kNonspacingMarks, code); }
bool bert_punctuation(std::uint32_t code) { return in(kPunctuation, code); }
bool bert_cjk(std::uint32_t code) { return in(kCjk, code); }
bool is_mark(std::uint32_t code) {
  const auto category = utf8proc_category(signed_code(code));
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
         category == UTF8PROC_CATEGORY_ME;
}

std::string to_normal_form(std::string_view text, NormalForm form) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; })) {
    return std::string(text);
  }
  std::vector<utf8proc_int32_t> codes;
  codes.reserve(text.size());
  decompose(text, form == NormalForm::nfkc || form == NormalForm::nfkd, codes);
  order_marks(codes);
  if (form == NormalForm::nfc || form == NormalForm::nfkc) {
    const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    const auto count = utf8proc_normalize_utf32(
        codes.data(), static_cast<utf8proc_ssize_t>(codes.size()), options);
    if (count >= 0) codes.resize(static_cast<std::size_t>(count));
  }
  std::string out;
  out.reserve(text.size());
  for (const auto code : codes) append_utf8(out, static_cast<std::uint32_t>(code));
  return out;
}

std::string to_lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = first_character(text);
    text.remove_prefix(c.bytes);
    // The one character whose lower case is two (Unicode's SpecialCasing.txt).
    if (c.code == 0x130) {
      out += "i\xCC\x87";
    } else {
      append_utf8(out, static_cast<std::uint32_t>(utf8proc_tolower(signed_code(c.code))));
    }
  }
  return out;
}

std::string_view stripped(std::string_view text, bool left, bool right) {
  while (left && !text.empty()) {
    const Character c = first_character(text);
    if (!is_white_space(c.code)) break;
    text.remove_prefix(c.bytes);
  }
  while (right && !text.empty()) {
    std::size_t at = text.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
    if (!is_white_space(first_character(text.substr(at)).code)) break;
    text.remove_suffix(text.size() - at);
  }
  return text;
}

}  // namespace plinth::model
