#include "apps/serve/load_math.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string_view>

namespace plinth::serve {

namespace {

constexpr std::array<std::string_view, 32> kWords{
    "river",  "stone",  "window", "garden", "morning", "letter", "bridge", "silver",
    "market", "forest", "engine", "winter", "harbour", "candle", "orange", "mirror",
    "yellow", "travel", "simple", "answer", "between", "number", "people", "system",
    "little", "create", "follow", "listen", "measure", "public", "second", "written"};

// In (0, 1]: the standard's distributions differ between libraries.
double uniform(std::mt19937_64& random) {
  return (static_cast<double>(random() >> 11) + 1) * 0x1.0p-53;
}

std::string random_words(std::uint64_t seed, int words) {
  std::mt19937_64 random(seed * 0x9E3779B97F4A7C15u + 1);
  std::string text;
  for (int i = 0; i < words; ++i) {
    text += ' ';
    text += kWords[random() % kWords.size()];
  }
  return text;
}

}  // namespace

std::vector<double> poisson_schedule(std::uint64_t seed, double rate_per_s, int requests) {
  std::mt19937_64 random(seed);
  std::vector<double> times;
  double now = 0;
  for (int i = 0; i < requests; ++i) {
    times.push_back(now);
    now += -std::log(uniform(random)) / rate_per_s;
  }
  return times;
}

std::string synthetic_prompt(std::uint64_t seed, int words) {
  return "Write a story with these words:" + random_words(seed, words);
}

std::string copying_prompt(std::uint64_t seed, int words) {
  return "Write this text again, word for word:" + random_words(seed, words);
}

Percentiles percentiles(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto rank = [&](double part) {
    const auto n = static_cast<std::size_t>(std::ceil(part * static_cast<double>(values.size())));
    return values[std::max<std::size_t>(n, 1) - 1];
  };
  return {rank(0.50), rank(0.90), rank(0.95), rank(0.99), values.back()};
}

}  // namespace plinth::serve
