// Texts that come close to what detectors look for, and ways to cut them. For tests.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace plinth::governance {

using Random = std::mt19937_64;

inline std::size_t pick(Random& random, std::size_t n) { return random() % n; }

inline std::string random_text(Random& random) {
  static const std::vector<std::string> kParts = {"kill yourself",
                                                  "k1ll yourself",
                                                  "how to make a bomb",
                                                  "how to make a cake",
                                                  "kill",
                                                  "your",
                                                  "self",
                                                  " ",
                                                  "  ",
                                                  "\n",
                                                  "-",
                                                  ".",
                                                  "!",
                                                  "a",
                                                  "ab",
                                                  "b",
                                                  "foo",
                                                  "bar",
                                                  "bob@example.com",
                                                  "bob@",
                                                  "@example",
                                                  ".com",
                                                  "4111 1111 1111 1111",
                                                  "4111-1111-1111-1112",
                                                  "4111",
                                                  "1111",
                                                  "DE89 3704 0044 0532 0130 00",
                                                  "GB29NWBK60161331926819",
                                                  "123-45-6789",
                                                  "+49 30 901820",
                                                  "(212) 555-0147",
                                                  "192.168.7.1",
                                                  "10.0.0",
                                                  "7",
                                                  "\u200b",
                                                  "\u00ad",
                                                  "\u0301",
                                                  "ё",
                                                  "Ё",
                                                  "\u043a\u0456ll yourself",
                                                  "漢字",
                                                  "🙂",
                                                  "ﬁ",
                                                  "①",
                                                  "\xff",
                                                  "\xe2\x82",
                                                  "\xf0\x9f",
                                                  "\x80",
                                                  std::string(1, '\0'),
                                                  std::string(300, ' '),
                                                  std::string(1100, 'a'),
                                                  std::string(200, '\t'),
                                                  "secret project",
                                                  "Project Falcon",
                                                  "ZZ-12345",
                                                  "all jews are vermin"};
  std::string text;
  for (std::size_t n = pick(random, 24); n > 0; --n) text += kParts[pick(random, kParts.size())];
  return text;
}

// The pieces of `text`, some of them empty.
inline std::vector<std::string> random_pieces(const std::string& text, Random& random) {
  const std::size_t longest = 1 + pick(random, 3) * pick(random, 300);
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t bytes = std::min(pick(random, longest + 1), text.size() - at);
    pieces.push_back(text.substr(at, bytes));
    at += bytes;
  }
  return pieces;
}

struct Seeds {
  std::uint64_t first = 1;
  std::uint64_t last = 1;
};
// PLINTH_SEED=N alone, or 1 to `count`.
inline Seeds seeds(std::uint64_t count) {
  const char* one = std::getenv("PLINTH_SEED");
  if (one == nullptr) return {1, count};
  const std::uint64_t seed = std::strtoull(one, nullptr, 10);
  return {seed, seed};
}

}  // namespace plinth::governance
