// Bounds of the tensor room, with their reasons.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plinth::tensor {

// Matrices of one packed file: a mixture of experts of 100 layers with 512 experts each, whose
// three matrices make two packed ones.
inline constexpr std::uint64_t kPackedEntriesMax = 1u << 18;
// Of one packed file: more than any machine's memory, and sums of two stay in 64 bits.
inline constexpr std::uint64_t kPackedBytesMax = std::uint64_t{1} << 48;

// Of a tuning file, which somebody may have edited: scratch of a slab and a range stays within what
// a second-level cache might hold.
inline constexpr int kSlabTokensMax = 1024;
inline constexpr std::int64_t kRangeBytesMax = 16 << 20;

// Of a tuning file: a hundred bytes for each shape, and a model has tens of them.
inline constexpr std::size_t kTuningBytesMax = 1 << 20;

}  // namespace plinth::tensor
