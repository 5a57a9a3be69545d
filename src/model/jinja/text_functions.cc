#include "model/jinja/text_functions.h"

#include <utf8proc.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/html.h"
#include "model/jinja/arguments.h"
#include "model/jinja/builtins.h"
#include "model/tokenize/unicode.h"
#include "model/tokenize/utf8.h"

namespace plinth::model::jinja {

namespace {

// Python's str.isspace: Unicode's White_Space and the information separators.
bool is_space(std::uint32_t c) { return is_white_space(c) || (c >= 0x1C && c <= 0x1F); }
bool is_line_end(std::uint32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

enum class Class { letter, digit, number, upper, lower, other };
Class class_of(std::uint32_t code) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
      return Class::upper;
    case UTF8PROC_CATEGORY_LL:
      return Class::lower;
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return Class::letter;
    case UTF8PROC_CATEGORY_ND:
      return Class::digit;
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return Class::number;
    default:
      return Class::other;
  }
}
bool is_letter(std::uint32_t code) {
  const Class c = class_of(code);
  return c == Class::letter || c == Class::upper || c == Class::lower;
}

template <typename Test>
bool all_characters(std::string_view text, Test test) {
  if (text.empty()) return false;
  while (!text.empty()) {
    const Character c = first_character(text);
    if (!test(c.code)) return false;
    text.remove_prefix(c.bytes);
  }
  return true;
}

// Linear whatever the text and the needle, which std::string::find is not.
std::size_t find_in(const std::string& s, const std::string& needle, std::size_t at = 0) {
  const void* found = ::memmem(s.data() + at, s.size() - at, needle.data(), needle.size());
  return found == nullptr ? std::string::npos
                          : static_cast<std::size_t>(static_cast<const char*>(found) - s.data());
}

// Searching from the right is not linear: only short needles.
constexpr std::size_t kRightNeedleMax = 256;

// Without a set: white space.
Value strip(const Value& text, const Value* set, bool left, bool right) {
  std::vector<std::uint32_t> codes;
  const bool spaces = set == nullptr || set->is_none();
  const std::string chars = spaces ? "" : set->str();
  for (std::string_view rest = chars; !rest.empty();) {
    codes.push_back(first_character(rest).code);
    rest.remove_prefix(first_character(rest).bytes);
  }
  const auto strips = [&](std::uint32_t c) {
    return spaces ? is_space(c) : std::find(codes.begin(), codes.end(), c) != codes.end();
  };
  const std::string_view whole = *text.string();
  std::size_t begin = 0, end = whole.size();
  while (left && begin < end) {
    const Character c = first_character(whole.substr(begin));
    if (!strips(c.code)) break;
    begin += c.bytes;
  }
  while (right && end > begin) {
    std::size_t at = end - 1;
    while (at > begin && (static_cast<unsigned char>(whole[at]) & 0xC0) == 0x80) --at;
    if (!strips(first_character(whole.substr(at)).code)) break;
    end = at;
  }
  return text.part(begin, end - begin);
}

absl::StatusOr<Value> replaced(const Value& text, const Value& from, const Value& to,
                               std::int64_t count, std::size_t bytes_max) {
  const std::string& s = *text.string();
  const std::string old = from.str();
  const Value by = to.as_text();
  TextBuilder out;
  if (old.empty()) {
    // Between all characters, and at both ends.
    const auto offsets = character_offsets(s);
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      if (count != 0) {
        out.add(by);
        --count;
      }
      if (i + 1 < offsets.size()) out.add(text.part(offsets[i], offsets[i + 1] - offsets[i]));
      if (out.size() > bytes_max) return too_much("replace");
    }
    return std::move(out).value();
  }
  std::size_t at = 0;
  while (count != 0) {
    const auto found = find_in(s, old, at);
    if (found == std::string::npos) break;
    out.add(text.part(at, found - at));
    out.add(by);
    if (out.size() > bytes_max) return too_much("replace");
    at = found + old.size();
    --count;
  }
  out.add(text.part(at, s.size() - at));
  return std::move(out).value();
}

List split_at_spaces(const Value& text, std::int64_t limit) {
  const std::string_view s = *text.string();
  List parts;
  std::size_t at = 0;
  const auto skip = [&](bool spaces) {
    while (at < s.size()) {
      const Character c = first_character(s.substr(at));
      if (is_space(c.code) != spaces) break;
      at += c.bytes;
    }
  };
  for (skip(true); at < s.size(); skip(true)) {
    const std::size_t begin = at;
    if (limit >= 0 && static_cast<std::int64_t>(parts.size()) == limit) {
      parts.push_back(strip(text.part(begin, s.size() - begin), nullptr, false, true));
      break;
    }
    skip(false);
    parts.push_back(text.part(begin, at - begin));
  }
  return parts;
}

absl::StatusOr<Value> split(const Value& text, const Value* separator, std::int64_t limit,
                            bool from_right) {
  if (separator == nullptr || separator->is_none()) {
    if (from_right && limit >= 0) return wrong("rsplit needs a separator with its limit");
    return Value::of(split_at_spaces(text, limit));
  }
  const std::string& s = *text.string();
  const std::string by = separator->str();
  if (by.empty()) return wrong("empty separator");
  List parts;
  if (from_right) {
    if (by.size() > kRightNeedleMax) return wrong("rsplit by a long string");
    std::size_t end = s.size();
    while (limit < 0 || static_cast<std::int64_t>(parts.size()) < limit) {
      const auto found = end < by.size() ? std::string::npos : s.rfind(by, end - by.size());
      if (found == std::string::npos) break;
      parts.push_back(text.part(found + by.size(), end - found - by.size()));
      end = found;
    }
    parts.push_back(text.part(0, end));
    std::reverse(parts.begin(), parts.end());
    return Value::of(std::move(parts));
  }
  std::size_t at = 0;
  while (limit < 0 || static_cast<std::int64_t>(parts.size()) < limit) {
    const auto found = find_in(s, by, at);
    if (found == std::string::npos) break;
    parts.push_back(text.part(at, found - at));
    at = found + by.size();
  }
  parts.push_back(text.part(at, s.size() - at));
  return Value::of(std::move(parts));
}

Value split_lines(const Value& text, bool keep_ends) {
  const std::string_view s = *text.string();
  List lines;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < s.size();) {
    const Character c = first_character(s.substr(at));
    if (!is_line_end(c.code)) {
      at += c.bytes;
      continue;
    }
    std::size_t end = at + c.bytes;
    if (c.code == '\r' && end < s.size() && s[end] == '\n') ++end;
    lines.push_back(text.part(begin, (keep_ends ? end : at) - begin));
    begin = at = end;
  }
  if (begin < s.size()) lines.push_back(text.part(begin, s.size() - begin));
  return Value::of(std::move(lines));
}

Value partition(const Value& text, const std::string& by, bool from_right) {
  const std::string& s = *text.string();
  const auto at = from_right ? s.rfind(by) : find_in(s, by);
  const Value empty = Value::of(std::string());
  if (at == std::string::npos) {
    return Value::tuple(from_right ? List{empty, empty, text} : List{text, empty, empty});
  }
  return Value::tuple({text.part(0, at), text.part(at, by.size()),
                       text.part(at + by.size(), s.size() - at - by.size())});
}

std::string titled(std::string_view text, bool each_word) {
  std::string out;
  bool start = true;
  while (!text.empty()) {
    const Character c = first_character(text);
    out += start ? changed_case(text.substr(0, c.bytes), true) : to_lower(text.substr(0, c.bytes));
    start = each_word && !is_letter(c.code);
    text.remove_prefix(c.bytes);
  }
  return out;
}

// Jinja's title filter: words begin after white space and brackets.
std::string titled_words(std::string_view text) {
  std::string out;
  bool start = true;
  while (!text.empty()) {
    const Character c = first_character(text);
    out += start ? changed_case(text.substr(0, c.bytes), true) : to_lower(text.substr(0, c.bytes));
    start = is_space(c.code) ||
            (c.code < 128 &&
             std::string_view("-({[<").find(static_cast<char>(c.code)) != std::string_view::npos);
    text.remove_prefix(c.bytes);
  }
  return out;
}

absl::StatusOr<Value> indented(const Value& text, const Arguments& a, std::size_t bytes_max) {
  const Value* width = argument(a, 0, "width");
  const std::string prefix = width != nullptr && width->string()
                                 ? *width->string()
                                 : std::string(static_cast<std::size_t>(std::clamp<std::int64_t>(
                                                   integer_argument(a, 0, "width", 4), 0, 1000)),
                                               ' ');
  const bool first = flag_argument(a, 1, "first", false);
  const bool blank = flag_argument(a, 2, "blank", false);
  const std::string& s = *text.string();
  TextBuilder out;
  std::size_t at = 0;
  for (bool first_line = true; at <= s.size(); first_line = false) {
    const auto end = std::min(s.find('\n', at), s.size());
    if (first_line ? first : (end > at || blank)) out.add(prefix);
    out.add(text.part(at, std::min(end + 1, s.size()) - at));
    if (out.size() > bytes_max) return too_much("indent");
    at = end + 1;
  }
  return std::move(out).value();
}

std::int64_t characters_before(const std::string& s, std::size_t at) {
  return static_cast<std::int64_t>(character_offsets(std::string_view(s).substr(0, at)).size()) - 1;
}

// find, rfind, index, rindex, count.
absl::StatusOr<Value> search(const std::string& s, const std::string& name, const Arguments& a) {
  if (a.positional.empty() || a.positional[0].string() == nullptr)
    return wrong(fmt::format("{} needs a string", name));
  if (a.positional.size() > 1) return wrong(fmt::format("{} takes no range here", name));
  const std::string& sub = *a.positional[0].string();
  if (name == "count") {
    if (sub.empty()) return Value::of(characters_before(s, s.size()) + 1);
    std::int64_t n = 0;
    for (auto at = find_in(s, sub); at != std::string::npos;
         at = find_in(s, sub, at + sub.size())) {
      ++n;
    }
    return Value::of(n);
  }
  if (name.starts_with('r') && sub.size() > kRightNeedleMax)
    return wrong(fmt::format("{} of a long string", name));
  const auto at = name.starts_with('r') ? s.rfind(sub) : find_in(s, sub);
  if (at != std::string::npos) return Value::of(characters_before(s, at));
  if (name.ends_with("index")) return wrong("substring not found");
  return Value::of(std::int64_t{-1});
}

absl::StatusOr<Value> padded(const Value& text, const std::string& name, const Arguments& a,
                             std::size_t bytes_max) {
  const auto offsets = character_offsets(*text.string());
  const auto have = static_cast<std::int64_t>(offsets.size()) - 1;
  const std::int64_t width = integer_argument(a, 0, "width", 0);
  if (width <= have) return text;
  const std::string fill = name == "zfill" ? "0" : text_argument(a, 1, "fillchar", " ");
  const std::int64_t missing = width - have;
  if (static_cast<std::uint64_t>(missing) * std::max<std::size_t>(fill.size(), 1) > bytes_max)
    return too_much(name);
  std::int64_t left = name == "ljust" ? 0 : missing;
  // As CPython: an odd space goes left where the width is odd.
  if (name == "center") left = missing / 2 + (missing & width & 1);
  const auto repeat = [&](std::int64_t times) {
    std::string out;
    for (std::int64_t i = 0; i < times; ++i) out += fill;
    return out;
  };
  TextBuilder out;
  const std::string& s = *text.string();
  const bool sign = name == "zfill" && (s.starts_with('-') || s.starts_with('+'));
  if (sign) out.add(text.part(0, 1));
  out.add(repeat(left));
  out.add(text.part(sign ? 1 : 0, s.size() - (sign ? 1 : 0)));
  out.add(repeat(missing - left));
  return std::move(out).value();
}

absl::StatusOr<Value> braces_format(const Value& format, const Arguments& a,
                                    std::size_t bytes_max) {
  const std::string& s = *format.string();
  TextBuilder out;
  std::size_t next = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (out.size() > bytes_max) return too_much("format");
    if ((s[i] == '{' || s[i] == '}') && i + 1 < s.size() && s[i + 1] == s[i]) {
      out.add(format.part(i++, 1));
    } else if (s[i] == '{') {
      const auto close = s.find('}', i);
      if (close == std::string::npos) return wrong("format: brace is not closed");
      const std::string field = s.substr(i + 1, close - i - 1);
      const Value* value = nullptr;
      if (field.empty()) {
        value = argument(a, next++, "");
      } else if (all_characters(field, [](auto c) { return c >= '0' && c <= '9'; }) &&
                 field.size() < 4) {
        value = argument(a, static_cast<std::size_t>(std::stoi(field)), "");
      } else {
        value = a.named_value(field);
      }
      if (value == nullptr) return wrong(fmt::format("format: no value for {{{}}}", field));
      out.add(*value);
      i = close;
    } else if (s[i] == '}') {
      return wrong("format: brace is not opened");
    } else {
      out.add(format.part(i, 1));
    }
  }
  return std::move(out).value();
}

absl::StatusOr<Value> affixed(const Value& text, const std::string& name, const Arguments& a) {
  const std::string& s = *text.string();
  const bool end = name == "endswith" || name == "removesuffix";
  const auto matches = [&](const Value& v) {
    return v.string() && (end ? s.ends_with(*v.string()) : s.starts_with(*v.string()));
  };
  if (a.positional.empty()) return wrong(fmt::format("{} needs a string", name));
  const Value& affix = a.positional[0];
  if (name.starts_with("remove")) {
    if (!matches(affix)) return text;
    const auto size = affix.string()->size();
    return text.part(end ? 0 : size, s.size() - size);
  }
  const List* several = affix.list();
  if (several == nullptr && affix.string() == nullptr)
    return wrong(fmt::format("{} needs a string, not {}", name, affix.type_name()));
  return Value::of(several ? std::any_of(several->begin(), several->end(), matches)
                           : matches(affix));
}

bool is_of_class(const std::string& s, const std::string& name) {
  if (name == "isspace") return all_characters(s, is_space);
  if (name == "isalpha") return all_characters(s, is_letter);
  if (name == "isdigit" || name == "isdecimal") {
    return all_characters(s, [](auto c) { return class_of(c) == Class::digit; });
  }
  const auto numeric = [](std::uint32_t c) {
    return class_of(c) == Class::digit || class_of(c) == Class::number;
  };
  if (name == "isnumeric") return all_characters(s, numeric);
  if (name == "isalnum") {
    return all_characters(s, [&](auto c) { return is_letter(c) || numeric(c); });
  }
  // isupper, islower: some letter with case, and none of the other case.
  const Class wanted = name == "isupper" ? Class::upper : Class::lower;
  const Class other = name == "isupper" ? Class::lower : Class::upper;
  bool some = false;
  const bool none = !s.empty() && all_characters(s, [&](auto c) {
    some = some || class_of(c) == wanted;
    return class_of(c) != other;
  });
  return none && some;
}

}  // namespace

std::vector<std::size_t> character_offsets(std::string_view text) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) out.push_back(i);
  }
  out.push_back(text.size());
  return out;
}

std::string changed_case(std::string_view text, bool upper) {
  if (!upper) {
    std::string out = to_lower(text);
    return out;
  }
  std::string out;
  while (!text.empty()) {
    const Character c = first_character(text);
    if (c.code == 0xDF) {
      out += "SS";
    } else {
      append_utf8(
          out, static_cast<std::uint32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c.code))));
    }
    text.remove_prefix(c.bytes);
  }
  return out;
}

bool has_substring(const std::string& s, const std::string& needle) {
  return find_in(s, needle) != std::string::npos;
}

bool is_text_method(std::string_view name) {
  return one_of(
      name, {"strip",        "lstrip",     "rstrip",     "startswith", "endswith",  "split",
             "rsplit",       "splitlines", "find",       "rfind",      "index",     "rindex",
             "count",        "join",       "isdigit",    "isdecimal",  "isnumeric", "isalpha",
             "isalnum",      "isspace",    "isupper",    "islower",    "upper",     "lower",
             "title",        "capitalize", "swapcase",   "casefold",   "replace",   "removeprefix",
             "removesuffix", "partition",  "rpartition", "zfill",      "ljust",     "rjust",
             "center",       "format"});
}

absl::StatusOr<Value> text_method(const Value& text, const std::string& name, const Arguments& a,
                                  std::size_t bytes_max) {
  const std::string& s = *text.string();
  if (one_of(name, {"strip", "lstrip", "rstrip"}))
    return strip(text, argument(a, 0, "chars"), name != "rstrip", name != "lstrip");
  if (one_of(name, {"startswith", "endswith", "removeprefix", "removesuffix"}))
    return affixed(text, name, a);
  if (name == "split" || name == "rsplit") {
    return split(text, argument(a, 0, "sep"), integer_argument(a, 1, "maxsplit", -1),
                 name == "rsplit");
  }
  if (name == "splitlines") return split_lines(text, flag_argument(a, 0, "keepends", false));
  if (one_of(name, {"find", "rfind", "index", "rindex", "count"})) return search(s, name, a);
  if (name == "join") {
    return apply_filter("join", a.positional.empty() ? Value() : a.positional[0], {{text}, {}},
                        bytes_max);
  }
  if (name.starts_with("is")) return Value::of(is_of_class(s, name));
  if (name == "upper") return Value::of(changed_case(s, true));
  if (name == "lower" || name == "casefold") return Value::of(changed_case(s, false));
  if (name == "title") return Value::of(titled(s, true));
  if (name == "capitalize") return Value::of(titled(s, false));
  if (name == "swapcase") {
    std::string out;
    for (std::string_view rest = s; !rest.empty();) {
      const Character c = first_character(rest);
      out += changed_case(rest.substr(0, c.bytes), class_of(c.code) == Class::lower);
      rest.remove_prefix(c.bytes);
    }
    return Value::of(std::move(out));
  }
  if (name == "replace") {
    if (a.positional.size() < 2) return wrong("replace needs what and by what");
    return replaced(text, a.positional[0], a.positional[1], integer_argument(a, 2, "count", -1),
                    bytes_max);
  }
  if (name == "partition" || name == "rpartition") {
    const std::string by = text_argument(a, 0, "sep", "");
    if (by.empty() || by.size() > kRightNeedleMax) return wrong("empty or long separator");
    return partition(text, by, name == "rpartition");
  }
  if (name == "format") return braces_format(text, a, bytes_max);
  return padded(text, name, a, bytes_max);
}

bool is_text_filter(std::string_view name) {
  return one_of(
      name, {"trim", "upper", "lower", "title", "capitalize", "indent", "replace", "escape", "e",
             "forceescape", "string", "safe", "center", "wordcount", "format"});
}

absl::StatusOr<Value> text_filter(const Value& input, const std::string& name, const Arguments& a,
                                  std::size_t bytes_max) {
  const Value text = input.as_text();
  const std::string& s = *text.string();
  if (name == "string" || name == "safe") return text;
  if (name == "trim") return strip(text, argument(a, 0, "chars"), true, true);
  if (name == "upper" || name == "lower") return Value::of(changed_case(s, name == "upper"));
  if (name == "title") return Value::of(titled_words(s));
  if (name == "capitalize") return Value::of(titled(s, false));
  if (name == "indent") return indented(text, a, bytes_max);
  if (name == "center") return padded(text, name, a, bytes_max);
  if (name == "wordcount")
    return Value::of(static_cast<std::int64_t>(split_at_spaces(text, -1).size()));
  if (name == "format") {
    return percent_format(text, Value::tuple(a.positional), bytes_max);
  }
  if (name == "replace") {
    const Value* from = argument(a, 0, "old");
    const Value* to = argument(a, 1, "new");
    if (from == nullptr || to == nullptr) return wrong("replace needs what and by what");
    return replaced(text, *from, *to, integer_argument(a, 2, "count", -1), bytes_max);
  }
  if (one_of(name, {"escape", "e", "forceescape"})) return Value::of(base::escape_html(s));
  return wrong(fmt::format("filter {} is not supported", name));
}

absl::StatusOr<Value> percent_format(const Value& format, const Value& values,
                                     std::size_t bytes_max) {
  const std::string& s = *format.string();
  const List single = {values};
  const List& list = values.is_tuple() ? *values.list() : single;
  TextBuilder out;
  std::size_t next = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (out.size() > bytes_max) return too_much("format");
    if (s[i] != '%') {
      out.add(format.part(i, 1));
      continue;
    }
    if (++i >= s.size()) return wrong("incomplete format");
    if (s[i] == '%') {
      out.add("%");
      continue;
    }
    if (next >= list.size()) return wrong("not enough arguments for format string");
    const Value& value = list[next++];
    if (s[i] == 's') {
      out.add(value);
    } else if (s[i] == 'r') {
      out.add(value.origin ? Value::foreign_text(value.repr()) : Value::of(value.repr()));
    } else if ((s[i] == 'd' || s[i] == 'i') && value.is_number()) {
      out.add(fmt::format("{:.0f}", std::trunc(value.as_double())));
    } else if (s[i] == 'f' && value.is_number()) {
      out.add(fmt::format("{:.6f}", value.as_double()));
    } else {
      return wrong(fmt::format("format %{} of {} is not supported", s[i], value.type_name()));
    }
  }
  if (values.is_tuple() && next < list.size())
    return wrong("not all arguments converted during string formatting");
  return std::move(out).value();
}

}  // namespace plinth::model::jinja
