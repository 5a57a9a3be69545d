#include "governance/audit/canonical_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

namespace plinth::governance {

namespace {

// In UTF-16, what lies beyond its first plane comes before U+E000 to U+FFFF; in UTF-8 after them.
bool utf16_less(std::string_view a, std::string_view b) {
  const auto [at, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (at == a.end() || other == b.end()) return at == a.end() && other != b.end();
  const auto left = static_cast<unsigned char>(*at), right = static_cast<unsigned char>(*other);
  // The lead bytes of U+E000 to U+FFFF, and of what is beyond them.
  const auto high = [](unsigned char byte) { return byte == 0xee || byte == 0xef; };
  const auto beyond = [](unsigned char byte) { return byte >= 0xf0; };
  if (high(left) && beyond(right)) return false;
  if (beyond(left) && high(right)) return true;
  return left < right;
}

void append_text(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    constexpr std::string_view kShort = "\b\t\n\f\r\"\\";
    const auto at = kShort.find(c);
    if (at != std::string_view::npos) {
      out += '\\';
      out += "btnfr\"\\"[at];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

void append(std::string& out, const base::json::value& value);

void append_members(std::string& out, const base::json::object& object) {
  std::vector<const base::json::key_value_pair*> members;
  members.reserve(object.size());
  for (const auto& member : object) members.push_back(&member);
  std::sort(members.begin(), members.end(),
            [](const auto* a, const auto* b) { return utf16_less(a->key(), b->key()); });
  out += '{';
  for (const auto* member : members) {
    if (member != members.front()) out += ',';
    append_text(out, member->key());
    out += ':';
    append(out, member->value());
  }
  out += '}';
}

void append(std::string& out, const base::json::value& value) {
  if (const auto* object = value.if_object()) {
    append_members(out, *object);
  } else if (const auto* array = value.if_array()) {
    out += '[';
    for (const auto& item : *array) {
      if (&item != array->begin()) out += ',';
      append(out, item);
    }
    out += ']';
  } else if (const auto* text = value.if_string()) {
    append_text(out, *text);
  } else if (value.is_double()) {
    append_text(out, fmt::format("{}", value.get_double()));
  } else {
    out += base::json::serialize(value);
  }
}

}  // namespace

std::string canonical_json(const base::json::value& value) {
  std::string out;
  append(out, value);
  return out;
}

}  // namespace plinth::governance
