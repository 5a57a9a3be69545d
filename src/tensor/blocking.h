// How one packed product walks through its operands: which tokens and weights stay in which cache.
// The order of additions is the same for all, so a choice changes no bit.
#pragma once

#include <cstdint>

namespace plinth::tensor {

struct Blocking {
  // Activations of so many tokens stay in the second-level cache while the rows of W pass by: 64
  // tokens of 2,048 columns are 192 KiB. A multiple of 16.
  int slab_tokens = 64;
  // Weights of a tile of rows that stay in the first-level cache while the tokens pass by. Sums
  // pause in y between such ranges.
  std::int64_t range_bytes = 16 << 10;
  bool operator==(const Blocking&) const = default;
};

// What a tuner tries; the first is the default.
inline constexpr Blocking kBlockings[] = {{64, 16 << 10},  {64, 32 << 10},   {64, 128 << 10},
                                          {128, 32 << 10}, {128, 128 << 10}, {32, 32 << 10}};

}  // namespace plinth::tensor
