// Register tiles of 14 rows by 32 columns, for instructions that add one element of A, broadcast,
// times a vector of B: 28 sums and two vectors of B are 30 of the 32 registers, more products than
// latency times throughput of any of them.
//
// Add has add(sum, a, b), with a in memory: the instruction broadcasts it on the way. A broadcast
// by itself takes one of the two ports that multiply (Zen 4), which GCC 12 does not avoid; Intel's
// processors load twice a cycle and are as fast either way. Templates of a type that each unit
// keeps to itself.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <utility>

#include "tensor/x86/gemm_kernels.h"
#include "tensor/x86/gemm_vectors512.h"

namespace plinth::tensor {

inline constexpr int kTileRows512 = 14, kTileColumns512 = 32;
// Elements of k in one pass: a panel of B is 32 KiB and stays in the first-level cache (32 KiB on
// the oldest of these processors, 48 on others) while panels of A, 14 KiB each, pass by.
inline constexpr std::int64_t kTileRange512 = 256;
// Columns at a time: a pass over them has 256 KiB of B, as many of C and some of A, and the
// second-level cache 1 MiB at least. A as a whole may come from the third: a number of it is used
// for 256 columns.
inline constexpr std::int64_t kColumns512 = 256;
inline constexpr std::int64_t kBlockBytes512 = 2 << 20, kBlockRows512 = 16 * kTileRows512;

struct Tile512 {
  const float *a = nullptr, *b = nullptr;
  std::int64_t elements = 0;
  float* c = nullptr;
  std::int64_t ldc = 0;
  __mmask16 last = 0;  // columns of the last vector
  bool from_zero = false;
  const float* soon = nullptr;  // the next tile's C
};

template <typename Add, int kRows, int kVectors>
void multiply_tile512(const Tile512& tile) {
  __m512 sum[kRows][kVectors];
  const auto mask = [&](int v) { return v + 1 < kVectors ? first_16(16) : tile.last; };
#pragma GCC unroll 14
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      sum[r][v] = _mm512_setzero_ps();
      if (!tile.from_zero)
        sum[r][v] = _mm512_maskz_loadu_ps(mask(v), tile.c + r * tile.ldc + 16 * v);
      _mm_prefetch(tile.soon + r * tile.ldc + 16 * v, _MM_HINT_T0);
    }
  }
  const float *a = tile.a, *b = tile.b;
  for (std::int64_t e = 0; e < tile.elements; ++e, a += kTileRows512, b += kTileColumns512) {
    __m512 right[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) right[v] = _mm512_load_ps(b + 16 * v);
#pragma GCC unroll 14
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Add::add(sum[r][v], a + r, right[v]);
    }
  }
#pragma GCC unroll 14
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      _mm512_mask_storeu_ps(tile.c + r * tile.ldc + 16 * v, mask(v), sum[r][v]);
    }
  }
}

using TileProduct512 = void (*)(const Tile512& tile);

template <typename Add, int kVectors, int... kBefore>
constexpr auto tile_products512(std::integer_sequence<int, kBefore...>) {
  return std::array<TileProduct512, sizeof...(kBefore)>{
      multiply_tile512<Add, kBefore + 1, kVectors>...};
}

// All passes over some columns. kNumbers: of k in one element.
template <typename Add, int kNumbers>
void multiply_columns512(const GemmTask& task, std::int64_t begin, std::int64_t end) {
  static constexpr auto kRows = std::make_integer_sequence<int, kTileRows512>();
  static constexpr auto kNarrow = tile_products512<Add, 1>(kRows);
  static constexpr auto kWhole = tile_products512<Add, 2>(kRows);
  const auto elements = (task.k + kNumbers - 1) / kNumbers;
  for (std::int64_t first = 0; first < elements; first += kTileRange512) {
    Tile512 tile;
    tile.elements = std::min(kTileRange512, elements - first);
    tile.ldc = task.ldc;
    tile.from_zero = task.from_zero && first == 0;
    for (auto column = begin; column < end; column += kTileColumns512) {
      const auto columns = std::min<std::int64_t>(end - column, kTileColumns512);
      tile.last = first_16((columns - 1) % 16 + 1);
      const auto b = task.b + column / kTileColumns512 * task.b_panel_bytes;
      tile.b = reinterpret_cast<const float*>(b) + first * kTileColumns512;
      for (std::int64_t row = 0; row < task.rows; row += kTileRows512) {
        const auto rows = std::min<std::int64_t>(task.rows - row, kTileRows512);
        const auto a = task.a + row / kTileRows512 * task.a_panel_bytes;
        tile.a = reinterpret_cast<const float*>(a) + first * kTileRows512;
        tile.c = task.c + row * task.ldc + column;
        tile.soon = row + rows < task.rows ? tile.c + rows * task.ldc : tile.c;
        (columns > 16 ? kWhole : kNarrow)[static_cast<std::size_t>(rows - 1)](tile);
      }
    }
  }
}

template <typename Add, int kNumbers>
void multiply_panels512(const GemmTask& task) {
  for (std::int64_t column = 0; column < task.columns; column += kColumns512) {
    multiply_columns512<Add, kNumbers>(task, column, std::min(column + kColumns512, task.columns));
  }
}

}  // namespace plinth::tensor
