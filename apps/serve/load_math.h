// The arithmetic of a load test: when requests are sent, what they ask, and what came of them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace plinth::serve {

// Seconds from the start at which an open loop sends its requests: a Poisson process of
// `rate_per_s`, so that a slow service meets the load that users would bring and not the one it can
// take. The same seed gives the same schedule on every machine.
std::vector<double> poisson_schedule(std::uint64_t seed, double rate_per_s, int requests);

// About `words` common words, different for each seed, so that no prefix is shared by chance.
std::string synthetic_prompt(std::uint64_t seed, int words);
// The same words, to be written again as they are: what an edit of a text comes to.
std::string copying_prompt(std::uint64_t seed, int words);

struct Percentiles {
  double p50 = 0, p90 = 0, p95 = 0, p99 = 0, max = 0;
};
// Nearest rank; zeros of nothing.
Percentiles percentiles(std::vector<double> values);

}  // namespace plinth::serve
