// Bounds of the tensor room, with their reasons.
#pragma once

#include <cstdint>

namespace plinth::tensor {

// Matrices of one packed file: a mixture of experts of 100 layers with 512 experts each, whose
// three matrices make two packed ones.
inline constexpr std::uint64_t kPackedEntriesMax = 1u << 18;
// Of one packed file: more than any machine's memory, and sums of two stay in 64 bits.
inline constexpr std::uint64_t kPackedBytesMax = std::uint64_t{1} << 48;

}  // namespace plinth::tensor
