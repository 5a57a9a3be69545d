// How operands become panels, for any width of vectors: blocks of kWide vectors are loaded as the
// matrix lies, transposed where the panel wants it otherwise, and stored. An element of a vector is
// 32 bits: one number of fp32, or two of BF16 that follow each other in k.
//
// Templates of types that each unit keeps to itself, so that units with different flags share no
// instantiation.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tensor/x86/gemm_kernels.h"

namespace plinth::tensor {

// Panels of kHalves times kLanes rows, k outside: [elements, kHalves * kLanes].
template <int kLanesOfHalf, int kHalvesOfPanel, int kWide>
struct GemmPanel {
  static constexpr int kLanes = kLanesOfHalf, kHalves = kHalvesOfPanel;
  static constexpr bool kRowsOutside = false;
  static constexpr int kVector = kLanes * kHalves;  // elements from one stored vector to the next
  static constexpr int kHalf = kLanes, kBlock = kWide * kVector;
};

// Panels of two tiles of 16 rows, [steps, 2, 16, 16 elements], or with k outside in each tile.
template <bool kRowsAreOutside>
struct GemmTiles {
  static constexpr int kLanes = 16, kHalves = 2;
  static constexpr bool kRowsOutside = kRowsAreOutside;
  static constexpr int kVector = 16, kHalf = 256, kBlock = 512;
};

// Load has, for numbers as they are stored:
//   Stored, Vector, kWide; kNumbers: of one element
//   along(at, numbers): kWide elements of one row, of which so many numbers exist
//   across(at, ld, lanes, numbers): one element of kWide rows, of which so many exist
//   transpose(vectors), store<kLanes>(to, vector)
template <typename Load, typename Place>
[[gnu::always_inline]] inline void store_block(typename Load::Vector (&v)[Load::kWide],
                                               bool transposed, std::uint32_t* to) {
  if (transposed) Load::transpose(v);
  constexpr int kVectors = Place::kRowsOutside ? Place::kLanes : Load::kWide;
  constexpr int kLanes = Place::kRowsOutside ? Load::kWide : Place::kLanes;
#pragma GCC unroll 16
  for (int i = 0; i < kVectors; ++i) Load::template store<kLanes>(to + i * Place::kVector, v[i]);
}

template <typename Load, typename Place>
void pack_along(const PackTask& task) {
  constexpr std::int64_t kNumbers = Load::kWide * Load::kNumbers;
  const auto* from = static_cast<const typename Load::Stored*>(task.from.data);
  std::byte* panel = task.to;
  for (auto p = task.first; p < task.last; p += Place::kLanes * Place::kHalves) {
    for (int half = 0; half < Place::kHalves; ++half) {
      const auto row = p + half * Place::kLanes;
      const auto lanes = std::clamp<std::int64_t>(task.width - row, 0, Place::kLanes);
      auto* to = reinterpret_cast<std::uint32_t*>(panel) + half * Place::kHalf;
      const auto* at = from + (lanes > 0 ? row : 0) * task.from.ld;
      for (auto k = task.k_first; k < task.k_last; k += kGemmStep) {
        for (auto part = k; part < k + kGemmStep; part += kNumbers, to += Place::kBlock) {
          const auto numbers = std::clamp<std::int64_t>(task.k - part, 0, kNumbers);
          const auto place = std::min(part, task.k);
          typename Load::Vector v[Load::kWide] = {};
#pragma GCC unroll 16
          for (int i = 0; i < Place::kLanes; ++i) {
            if (i < lanes) v[i] = Load::along(at + i * task.from.ld + place, numbers);
          }
          store_block<Load, Place>(v, !Place::kRowsOutside, to);
        }
      }
    }
    panel += task.panel_bytes;
  }
}

template <typename Load, typename Place>
void pack_across(const PackTask& task) {
  constexpr std::int64_t kNumbers = Load::kWide * Load::kNumbers;
  const auto* from = static_cast<const typename Load::Stored*>(task.from.data);
  std::int64_t block = 0;
  for (auto k = task.k_first; k < task.k_last; k += kGemmStep) {
    for (auto part = k; part < k + kGemmStep; part += kNumbers, block += Place::kBlock) {
      std::byte* panel = task.to;
      for (auto p = task.first; p < task.last; p += Place::kLanes * Place::kHalves) {
        auto* to = reinterpret_cast<std::uint32_t*>(panel) + block;
        for (int half = 0; half < Place::kHalves; ++half, to += Place::kHalf) {
          const auto row = std::min(p + half * Place::kLanes, task.width);
          const auto lanes = std::min<std::int64_t>(task.width - row, Place::kLanes);
          typename Load::Vector v[Load::kWide] = {};
#pragma GCC unroll 16
          for (int i = 0; i < Load::kWide; ++i) {
            const auto number = part + i * Load::kNumbers;
            const auto left = std::min<std::int64_t>(task.k - number, Load::kNumbers);
            if (left <= 0) continue;
            v[i] = Load::across(from + number * task.from.ld + row, task.from.ld, lanes, left);
          }
          store_block<Load, Place>(v, Place::kRowsOutside, to);
        }
        panel += task.panel_bytes;
      }
    }
  }
}

// One operand: Floats loads fp32, Bfloats BF16.
template <typename Floats, typename Bfloats, typename Place>
void pack_panels(const PackTask& task) {
  if (task.from.dtype == DType::f32) {
    task.along_k ? pack_along<Floats, Place>(task) : pack_across<Floats, Place>(task);
  } else {
    task.along_k ? pack_along<Bfloats, Place>(task) : pack_across<Bfloats, Place>(task);
  }
}

}  // namespace plinth::tensor
