// Loops over the rows of a batch whose outcome does not depend on the number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "base/units.h"

namespace plinth::train {

// Rows that one thread takes at a time.
inline constexpr std::int64_t kRowGrain = 16;
// Rows whose sums are made by one thread: the borders are the same for any number of threads.
inline constexpr std::int64_t kSumRows = 128;

template <typename Body>
void for_rows(base::ThreadPool& threads, std::int64_t rows, const Body& body) {
  threads.parallel_for(rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (auto row = begin; row < end; ++row) body(row);
  });
}

// sums[c] += what body(row, partial) adds to partial[c] for each row, added up in one order.
template <typename T, typename Body>
void add_over_rows(base::ThreadPool& threads, std::int64_t rows, std::int64_t columns, T* sums,
                   const Body& body) {
  const auto parts = base::ceil_div(rows, kSumRows);
  std::vector<T> partial(static_cast<std::size_t>(parts * columns));
  threads.parallel_for(parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto part = begin; part < end; ++part) {
      const auto last = std::min(rows, (part + 1) * kSumRows);
      for (auto row = part * kSumRows; row < last; ++row)
        body(row, partial.data() + part * columns);
    }
  });
  for (std::int64_t part = 0; part < parts; ++part) {
    for (std::int64_t c = 0; c < columns; ++c)
      sums[c] += partial[static_cast<std::size_t>(part * columns + c)];
  }
}

}  // namespace plinth::train
