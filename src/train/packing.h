// Examples of different lengths into passes of one size.
#pragma once

#include <cstdint>
#include <vector>

namespace plinth::train {

// Indices into `lengths`, by pass: the longest first, each where it leaves the least room. One that
// is longer than `capacity` has a pass of its own. Johnson, "Near-optimal bin packing algorithms",
// 1973 (best-fit decreasing).
std::vector<std::vector<std::size_t>> pack(const std::vector<std::int64_t>& lengths,
                                           std::int64_t capacity);

}  // namespace plinth::train
