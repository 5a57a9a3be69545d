#include <immintrin.h>

#include <algorithm>

#include "base/units.h"
#include "tensor/x86/gemm_kernels.h"
#include "tensor/x86/gemm_pack.h"
#include "tensor/x86/gemm_pairs512.h"
#include "tensor/x86/tile_config.h"

// Two tiles of rows by two of columns: four loads of 8 cycles feed four products of 16. A's tiles
// are 16 rows by 32 numbers of k, B's 16 pairs of k by 16 columns.
namespace plinth::tensor {

namespace {

struct Unit;

constexpr int kTile = 16, kPair = 2 * kTile;
constexpr std::int64_t kTileBytes = 1024, kStepBytes = 2 * kTileBytes, kTileRow = 64;

// Steps of k in one pass: a panel of B, 40 KiB at most, stays in the first-level cache (48 KiB),
// while panels of A come from the second with loads that do not push it out. Where that is not all
// of k, passes are shorter: what they cost is less than what more room in that cache gains.
constexpr std::int64_t kStepsMax = 20, kSteps = 16;
// A pass of a task has 512 KiB of A, 256 of B and 512 of C: the second-level cache has 2 MiB.
constexpr std::int64_t kBlockRows = 512, kBlockColumns = 256;

// Tile registers: sums in 0 to 3, of the first rows 0 and 1; rows of A in 4 and 5, columns of B in
// 6 and 7.
void configure(std::int64_t rows, std::int64_t columns) {
  const auto part = [](std::int64_t all, int i) {
    return static_cast<int>(std::clamp<std::int64_t>(all - i * kTile, 1, kTile));
  };
  TileConfig config;
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) config.shape(2 * i + j, part(rows, i), part(columns, j) * 4);
    config.shape(4 + i, part(rows, i), kTileRow);
    config.shape(6 + i, kTile, part(columns, i) * 4);
  }
  config.load();
}

struct Quad {
  const std::byte *a = nullptr, *b = nullptr;
  std::int64_t steps = 0;
  float* c = nullptr;
  std::int64_t ldc = 0;
  bool from_zero = false;
};

// Each tile register is named by a constant.
template <bool kRows, bool kColumns>
void multiply_quad(const Quad& quad) {
  const std::int64_t stride = quad.ldc * 4;
  float* const below = quad.c + kTile * quad.ldc;
  if (quad.from_zero) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, quad.c, stride);
    if constexpr (kColumns) _tile_loadd(1, quad.c + kTile, stride);
    if constexpr (kRows) _tile_loadd(2, below, stride);
    if constexpr (kRows && kColumns) _tile_loadd(3, below + kTile, stride);
  }
  const std::byte *a = quad.a, *b = quad.b;
  for (std::int64_t s = 0; s < quad.steps; ++s, a += kStepBytes, b += kStepBytes) {
    _tile_loadd(6, b, kTileRow);
    _tile_stream_loadd(4, a, kTileRow);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kColumns) {
      _tile_loadd(7, b + kTileBytes, kTileRow);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (kRows) {
      _tile_stream_loadd(5, a + kTileBytes, kTileRow);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (kColumns) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, quad.c, stride);
  if constexpr (kColumns) _tile_stored(1, quad.c + kTile, stride);
  if constexpr (kRows) _tile_stored(2, below, stride);
  if constexpr (kRows && kColumns) _tile_stored(3, below + kTile, stride);
}

void multiply_quad(const Quad& quad, std::int64_t rows, std::int64_t columns) {
  if (columns > kTile) {
    rows > kTile ? multiply_quad<true, true>(quad) : multiply_quad<false, true>(quad);
  } else {
    rows > kTile ? multiply_quad<true, false>(quad) : multiply_quad<false, false>(quad);
  }
}

std::int64_t range_of(std::int64_t steps) {
  if (steps <= kStepsMax) return steps;
  return base::ceil_div(steps, base::ceil_div(steps, kSteps));
}

void multiply(const GemmTask& task) {
  // GCC 12 declares no memory input on tile instructions.
  __asm__ volatile("" ::: "memory");
  const auto steps = base::ceil_div(task.k, kGemmStep), range = range_of(steps);
  std::int64_t shaped_rows = 0, shaped_columns = 0;
  for (std::int64_t first = 0; first < steps; first += range) {
    Quad quad;
    quad.steps = std::min(range, steps - first);
    quad.ldc = task.ldc;
    quad.from_zero = task.from_zero && first == 0;
    for (std::int64_t column = 0; column < task.columns; column += kPair) {
      const auto columns = std::min<std::int64_t>(task.columns - column, kPair);
      quad.b = task.b + column / kPair * task.b_panel_bytes + first * kStepBytes;
      for (std::int64_t row = 0; row < task.rows; row += kPair) {
        const auto rows = std::min<std::int64_t>(task.rows - row, kPair);
        if (rows != shaped_rows || columns != shaped_columns) configure(rows, columns);
        shaped_rows = rows;
        shaped_columns = columns;
        quad.a = task.a + row / kPair * task.a_panel_bytes + first * kStepBytes;
        quad.c = task.c + row * task.ldc + column;
        multiply_quad(quad, rows, columns);
      }
    }
  }
  _tile_release();
  // Later loads of C read what the tiles stored.
  __asm__ volatile("" ::: "memory");
}

constexpr GemmKernel kernel() {
  GemmKernel made;
  made.rows = kPair;
  made.columns = kPair;
  made.number_bytes = 2;
  made.block_rows = kBlockRows;
  made.block_columns = kBlockColumns;
  made.pack_a = pack_panels<FloatPairs<Unit>, BfloatPairs<Unit>, GemmTiles<true>>;
  made.pack_b = pack_panels<FloatPairs<Unit>, BfloatPairs<Unit>, GemmTiles<false>>;
  made.multiply = multiply;
  return made;
}

}  // namespace

constinit const GemmKernel kGemmAmx = kernel();

}  // namespace plinth::tensor
