#include "model/tokenize/utf8.h"

namespace plinth::model {

namespace {

struct Lead {
  int length;
  unsigned char low, high;  // range of the second byte
};

Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// How many leading bytes belong to one well-formed beginning.
int well_formed_prefix(std::string_view text, const Lead& lead) {
  int n = 1;
  for (; n < lead.length && static_cast<std::size_t>(n) < text.size(); ++n) {
    const auto byte = static_cast<unsigned char>(text[static_cast<std::size_t>(n)]);
    const unsigned char low = n == 1 ? lead.low : 0x80, high = n == 1 ? lead.high : 0xBF;
    if (byte < low || byte > high) break;
  }
  return n;
}

}  // namespace

std::size_t utf8_length(std::string_view text, bool& incomplete) {
  incomplete = false;
  if (text.empty()) return 0;
  const Lead lead = lead_of(static_cast<unsigned char>(text[0]));
  if (lead.length == 0) return 0;
  const int n = well_formed_prefix(text, lead);
  if (n == lead.length) return static_cast<std::size_t>(n);
  incomplete = static_cast<std::size_t>(n) == text.size();
  return 0;
}

std::size_t utf8_ill_formed_length(std::string_view text) {
  const Lead lead = lead_of(static_cast<unsigned char>(text[0]));
  return lead.length == 0 ? 1 : static_cast<std::size_t>(well_formed_prefix(text, lead));
}

std::string utf8_repaired(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    bool incomplete = false;
    const auto length = utf8_length(text, incomplete);
    if (length > 0) {
      out.append(text.substr(0, length));
      text.remove_prefix(length);
      continue;
    }
    out += "\xEF\xBF\xBD";
    text.remove_prefix(utf8_ill_formed_length(text));
  }
  return out;
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 63));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 63));
    put(0x80 | (c & 63));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 63));
    put(0x80 | (c >> 6 & 63));
    put(0x80 | (c & 63));
  }
}

}  // namespace plinth::model
