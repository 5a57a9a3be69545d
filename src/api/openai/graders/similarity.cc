#include "api/openai/graders/similarity.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace plinth::api {

namespace {

constexpr int kWordsMax = 4;  // in a row, of BLEU and GLEU

// Of symbols, in time of the product of both lengths by 64: a bit of `row` is 0 where the
// subsequence grows. Hyyrö, "Bit-parallel LCS-length computation revisited", 2004.
template <typename Symbol>
std::size_t common_subsequence(const std::vector<Symbol>& a, const std::vector<Symbol>& b) {
  const std::size_t words = (a.size() + 63) / 64;
  std::unordered_map<Symbol, std::vector<std::uint64_t>> places;
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto& of = places[a[i]];
    of.resize(words);
    of[i / 64] |= std::uint64_t{1} << (i % 64);
  }
  std::vector<std::uint64_t> row(words, ~std::uint64_t{0});
  for (const auto& symbol : b) {
    const auto found = places.find(symbol);
    if (found == places.end()) continue;
    std::uint64_t carry = 0;
    for (std::size_t w = 0; w < words; ++w) {
      const std::uint64_t matches = row[w] & found->second[w];
      const std::uint64_t sum = row[w] + matches;
      const std::uint64_t whole = sum + carry;
      carry = (sum < matches || whole < sum) ? 1 : 0;
      row[w] = whole | (row[w] - matches);
    }
  }
  std::size_t length = 0;
  for (std::size_t i = 0; i < a.size(); ++i) length += ((row[i / 64] >> (i % 64)) & 1) == 0 ? 1 : 0;
  return length;
}

// Code points, or bytes where the text is no UTF-8: a number for each that tells it from others.
std::vector<std::uint32_t> characters(std::string_view text) {
  std::vector<std::uint32_t> out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool follows =
        (byte & 0xc0) == 0x80 && !out.empty() && out.back() >= 0xc0 && out.back() < (1u << 24);
    if (follows) {
      out.back() = (out.back() << 8) | byte;
    } else {
      out.push_back(byte);
    }
  }
  return out;
}

using Words = std::vector<std::string>;

Words words_of(std::string_view text, bool keep_signs) {
  Words words;
  bool inside = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool upper = c >= 'A' && c <= 'Z';
    const bool letter = byte >= 0x80 || upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (letter) {
      if (!inside) words.emplace_back();
      words.back() += upper ? static_cast<char>(c | 0x20) : c;
    } else if (keep_signs && byte > ' ') {
      words.emplace_back(1, c);
    }
    inside = letter;
  }
  return words;
}

std::map<std::string, std::size_t> runs(const Words& words, std::size_t n) {
  std::map<std::string, std::size_t> counts;
  for (std::size_t i = 0; i + n <= words.size(); ++i) {
    std::string run;
    for (std::size_t j = i; j < i + n; ++j) run += words[j] + ' ';
    ++counts[run];
  }
  return counts;
}

std::size_t count_of(const Words& words, std::size_t n) {
  return words.size() < n ? 0 : words.size() - n + 1;
}

// Runs of n words that both have, each as often as both do.
std::size_t shared(const Words& a, const Words& b, std::size_t n) {
  const auto of_b = runs(b, n);
  std::size_t sum = 0;
  for (const auto& [run, count] : runs(a, n)) {
    const auto found = of_b.find(run);
    if (found != of_b.end()) sum += std::min(count, found->second);
  }
  return sum;
}

double share(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double f1(std::size_t both, std::size_t a, std::size_t b) {
  if (a == 0 && b == 0) return 1;
  return share(2 * both, a + b);
}

// For each word of `a` the place of its like in `b`, each taken once, near the one before where
// that can be; b.size() where there is none.
std::vector<std::size_t> align(const Words& a, const Words& b) {
  std::vector<std::size_t> places(a.size(), b.size());
  std::map<std::string_view, std::vector<std::size_t>> left;
  for (std::size_t i = b.size(); i-- > 0;) left[b[i]].push_back(i);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto found = left.find(a[i]);
    if (found == left.end() || found->second.empty()) continue;
    auto& free = found->second;
    const auto next = i > 0 && places[i - 1] < b.size() ? places[i - 1] + 1 : b.size();
    auto chosen = std::find(free.begin(), free.end(), next);
    if (chosen == free.end()) chosen = std::prev(free.end());
    places[i] = *chosen;
    free.erase(chosen);
  }
  return places;
}

}  // namespace

double fuzzy_match(std::string_view text, std::string_view reference) {
  const auto a = characters(text), b = characters(reference);
  return f1(common_subsequence(a, b), a.size(), b.size());
}

double bleu(std::string_view text, std::string_view reference) {
  const auto a = words_of(text, true), b = words_of(reference, true);
  if (a.empty() || b.empty()) return a.empty() && b.empty() ? 1 : 0;
  double sum = 0;
  for (std::size_t n = 1; n <= kWordsMax; ++n) {
    const std::size_t smooth = n > 1 ? 1 : 0;
    const auto precision = share(shared(a, b, n) + smooth, count_of(a, n) + smooth);
    if (precision == 0) return 0;
    sum += std::log(precision);
  }
  const double brevity =
      a.size() >= b.size() ? 0 : 1 - static_cast<double>(b.size()) / static_cast<double>(a.size());
  return std::exp(sum / kWordsMax + brevity);
}

double gleu(std::string_view text, std::string_view reference) {
  const auto a = words_of(text, true), b = words_of(reference, true);
  if (a.empty() && b.empty()) return 1;
  std::size_t both = 0, of_a = 0, of_b = 0;
  for (std::size_t n = 1; n <= kWordsMax; ++n) {
    both += shared(a, b, n);
    of_a += count_of(a, n);
    of_b += count_of(b, n);
  }
  return share(both, std::max(of_a, of_b));
}

double meteor(std::string_view text, std::string_view reference) {
  const auto a = words_of(text, true), b = words_of(reference, true);
  if (a.empty() && b.empty()) return 1;
  const auto places = align(a, b);
  std::size_t matches = 0, chunks = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (places[i] == b.size()) continue;
    ++matches;
    const bool follows = i > 0 && places[i - 1] + 1 == places[i];
    if (!follows) ++chunks;
  }
  if (matches == 0) return 0;
  const double precision = share(matches, a.size()), recall = share(matches, b.size());
  const double mean = 10 * precision * recall / (recall + 9 * precision);
  const double fragments = share(chunks, matches);
  return mean * (1 - 0.5 * fragments * fragments * fragments);
}

double rouge(int n, std::string_view text, std::string_view reference) {
  const auto size = static_cast<std::size_t>(n);
  const auto a = words_of(text, false), b = words_of(reference, false);
  if (a == b) return 1;  // however short
  return f1(shared(a, b, size), count_of(a, size), std::max<std::size_t>(count_of(b, size), 1));
}

double rouge_l(std::string_view text, std::string_view reference) {
  const auto a = words_of(text, false), b = words_of(reference, false);
  return f1(common_subsequence(a, b), a.size(), b.size());
}

}  // namespace plinth::api
