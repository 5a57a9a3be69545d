// A stretch of an array cut into parts, the same ones for any number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/thread_pool.h"
#include "base/units.h"
#include "train/stretches.h"

namespace plinth::train {

// Numbers that one thread takes at a time, which all fit its caches.
inline constexpr std::int64_t kPartNumbers = std::int64_t{1} << 14;

inline std::int64_t parts_of(const Stretch& stretch) {
  return base::ceil_div(stretch.size(), kPartNumbers);
}

// body(part, begin, end): numbers [begin, end) of the array.
template <typename Body>
void for_parts(const Stretch& stretch, base::ThreadPool& threads, const Body& body) {
  threads.parallel_for(parts_of(stretch), 1, [&](std::int64_t first, std::int64_t last) {
    for (auto part = first; part < last; ++part) {
      const auto begin = stretch.begin + part * kPartNumbers;
      body(part, begin, std::min(stretch.end, begin + kPartNumbers));
    }
  });
}

}  // namespace plinth::train
