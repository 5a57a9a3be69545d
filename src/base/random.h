// Counter-based random numbers: the value depends on (key, counter) alone, so that neither batching
// nor preemption nor the number of threads can change what is drawn.
// Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <array>
#include <cstdint>

namespace plinth::base {

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// Uniform in [0, 1) with 53 bits; `stream` separates draws at one position (0 = sampling).
double uniform_at(std::uint64_t seed, std::uint64_t position, std::uint64_t stream = 0);

}  // namespace plinth::base
