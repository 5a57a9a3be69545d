// How an array is divided among the processes of a run.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/units.h"

namespace plinth::train {

// Of a process among those of its run, from 0 on.
struct Place {
  int rank = 0;
  int ranks = 1;
};

// Equal ones, one after the other, that begin at a multiple of 16 numbers, a line of a cache: the
// last may be shorter, or empty.
struct Stretch {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
};

inline Stretch stretch_of(std::int64_t size, const Place& place) {
  constexpr std::int64_t kLine = 16;
  const auto each = base::round_up(base::ceil_div<std::int64_t>(size, place.ranks), kLine);
  return {std::min(size, place.rank * each), std::min(size, (place.rank + 1) * each)};
}

}  // namespace plinth::train
