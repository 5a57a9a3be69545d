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
// All of a block's A stays in the second-level cache (2 MiB) while panels of B pass by once: the
// third gives a core some 10 bytes a cycle, and a product of 16 cycles would wait for more than
// 100.
constexpr std::int64_t kBlockBytes = 800 << 10, kBlockRows = 512;

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

// Two by two tiles of numbers somewhere.
struct Place {
  float* at = nullptr;
  std::int64_t ld = 0;

  [[gnu::always_inline]] float* tile(int i) const {
    return at + i / 2 * kTile * ld + i % 2 * kTile;
  }
  // The lines of row r of each tile, into the first-level cache or the second.
  template <bool kFirst>
  [[gnu::always_inline]] void fetch(std::int64_t r) const {
    if (at == nullptr) return;
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const float* line = tile(i) + r * ld;
      if constexpr (kFirst) _mm_prefetch(line, _MM_HINT_T0);
      if constexpr (!kFirst) _mm_prefetch(line, _MM_HINT_T1);
    }
  }
};

struct Quad {
  const std::byte *a = nullptr, *b = nullptr;
  std::int64_t steps = 0;
  Place from, to;  // from nowhere: from zero
  Place before;    // where the sums go that the registers hold; nowhere: there are none
  // Fetched meanwhile, if anything. Into the first-level cache: where the sums go, if they do not
  // come from there, and what the next quad begins with. Into the second: C where the next pass
  // ends, and so many lines for each step of the panel of B that follows.
  Place target, soon, far;
  const std::byte* later_b = nullptr;
  std::int64_t later_lines = 0;

  [[gnu::always_inline]] void fetch(std::int64_t step) const {
    constexpr std::int64_t kRows = 2;  // of tiles, for each step
    for (auto r = step * kRows; r < (step + 1) * kRows && r < kTile; ++r) {
      target.fetch<true>(r);
      soon.fetch<true>(r);
      far.fetch<false>(r);
    }
    const std::byte* lines = later_b + step * later_lines * kTileRow;
    for (std::int64_t l = 0; l < later_lines; ++l) _mm_prefetch(lines + l * kTileRow, _MM_HINT_T1);
  }
};

// The instructions name their register in their text.
template <int kRegister>
[[gnu::always_inline]] inline void store_sums(const Place& to) {
  const auto bytes = to.ld * 4;
  if constexpr (kRegister == 0) _tile_stored(0, to.tile(0), bytes);
  if constexpr (kRegister == 1) _tile_stored(1, to.tile(1), bytes);
  if constexpr (kRegister == 2) _tile_stored(2, to.tile(2), bytes);
  if constexpr (kRegister == 3) _tile_stored(3, to.tile(3), bytes);
}
template <int kRegister>
[[gnu::always_inline]] inline void load_sums(const Place& from) {
  const auto bytes = from.ld * 4;
  if constexpr (kRegister == 0) _tile_loadd(0, from.tile(0), bytes);
  if constexpr (kRegister == 1) _tile_loadd(1, from.tile(1), bytes);
  if constexpr (kRegister == 2) _tile_loadd(2, from.tile(2), bytes);
  if constexpr (kRegister == 3) _tile_loadd(3, from.tile(3), bytes);
}
template <int kRegister>
[[gnu::always_inline]] inline void clear_sums() {
  if constexpr (kRegister == 0) _tile_zero(0);
  if constexpr (kRegister == 1) _tile_zero(1);
  if constexpr (kRegister == 2) _tile_zero(2);
  if constexpr (kRegister == 3) _tile_zero(3);
}

// Makes room in one register of sums and fills it for this quad.
template <int kRegister>
[[gnu::always_inline]] inline void turn(const Quad& quad) {
  if (quad.before.at != nullptr) store_sums<kRegister>(quad.before);
  quad.from.at != nullptr ? load_sums<kRegister>(quad.from) : clear_sums<kRegister>();
}

// kTurn: the registers still hold the last quad's sums, each of which goes its way just before it
// is wanted: four stores at once wait for the last products and are waited for by the next ones.
template <bool kRows, bool kColumns, bool kTurn>
[[gnu::always_inline]] inline void step(const Quad& quad, const std::byte* a, const std::byte* b) {
  _tile_loadd(6, b, kTileRow);
  _tile_stream_loadd(4, a, kTileRow);
  if constexpr (kTurn) turn<0>(quad);
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (kColumns) {
    _tile_loadd(7, b + kTileBytes, kTileRow);
    if constexpr (kTurn) turn<1>(quad);
    _tile_dpbf16ps(1, 4, 7);
  }
  if constexpr (kRows) {
    _tile_stream_loadd(5, a + kTileBytes, kTileRow);
    if constexpr (kTurn) turn<2>(quad);
    _tile_dpbf16ps(2, 5, 6);
    if constexpr (kColumns) {
      if constexpr (kTurn) turn<3>(quad);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
}

template <bool kRows, bool kColumns>
void multiply_quad(const Quad& quad) {
  const std::byte *a = quad.a, *b = quad.b;
  step<kRows, kColumns, true>(quad, a, b);
  for (std::int64_t s = 1; s < quad.steps; ++s) {
    a += kStepBytes;
    b += kStepBytes;
    if constexpr (kRows && kColumns) quad.fetch(s - 1);
    step<kRows, kColumns, false>(quad, a, b);
  }
}

// One block of C, a panel of columns after the other. Between two passes sums lie by quads, [row
// panels, 32, 32]: rows of C may lie where all lines of a tile share a few sets of the cache.
class Block {
 public:
  explicit Block(const GemmTask& task)
      : task_(task), steps_(base::ceil_div(task.k, kGemmStep)), range_(range_of(steps_)) {}

  void multiply() {
    for (std::int64_t column = 0; column < task_.columns; column += kPair) {
      for (std::int64_t first = 0; first < steps_; first += range_) {
        for (std::int64_t row = 0; row < task_.rows; row += kPair) multiply(first, column, row);
      }
    }
    store();
  }

 private:
  static std::int64_t range_of(std::int64_t steps) {
    if (steps <= kStepsMax) return steps;
    return base::ceil_div(steps, base::ceil_div(steps, kSteps));
  }
  Place in_c(std::int64_t column, std::int64_t row) const {
    return {task_.c + row * task_.ldc + column, task_.ldc};
  }
  Place in_sums(std::int64_t row) const {
    return {reinterpret_cast<float*>(task_.scratch) + row * kPair, kPair};
  }
  Place from(std::int64_t first, std::int64_t column, std::int64_t row) const {
    if (first > 0) return in_sums(row);
    return task_.from_zero ? Place() : in_c(column, row);
  }

  void multiply(std::int64_t first, std::int64_t column, std::int64_t row) {
    const auto rows = std::min<std::int64_t>(task_.rows - row, kPair);
    const auto columns = std::min<std::int64_t>(task_.columns - column, kPair);
    if (rows != rows_ || columns != columns_) {
      store();
      configure(rows, columns);
      rows_ = rows;
      columns_ = columns;
    }
    Quad quad;
    quad.steps = std::min(range_, steps_ - first);
    quad.a = task_.a + row / kPair * task_.a_panel_bytes + first * kStepBytes;
    quad.b = task_.b + column / kPair * task_.b_panel_bytes + first * kStepBytes;
    quad.from = from(first, column, row);
    quad.to = first + quad.steps < steps_ ? in_sums(row) : in_c(column, row);
    quad.before = held_;
    fetch_ahead(quad, first, column, row);
    if (columns > kTile) {
      rows > kTile ? multiply_quad<true, true>(quad) : multiply_quad<false, true>(quad);
    } else {
      rows > kTile ? multiply_quad<true, false>(quad) : multiply_quad<false, false>(quad);
    }
    held_ = quad.to;
  }

  void fetch_ahead(Quad& quad, std::int64_t first, std::int64_t column, std::int64_t row) const {
    if (quad.to.at != quad.from.at) quad.target = quad.to;
    if (row + 2 * kPair <= task_.rows) quad.soon = from(first, column, row + kPair);
    const auto next = first + quad.steps;
    if (next < steps_ && next + range_ >= steps_) quad.far = in_c(column, row);
    // A panel's passes follow each other in memory, and so do panels. Few quads cannot fetch a pass
    // without filling all buffers of the first-level cache.
    constexpr std::int64_t kLinesMax = 4;
    const auto quads = base::ceil_div<std::int64_t>(task_.rows, kPair);
    const auto lines = base::ceil_div(kStepBytes / kTileRow, quads);
    if (lines > kLinesMax) return;
    quad.later_lines = lines;
    quad.later_b = quad.b + quad.steps * (kStepBytes + row / kPair * lines * kTileRow);
  }

  // What the registers hold, to where it belongs.
  void store() {
    if (held_.at == nullptr) return;
    const bool below = rows_ > kTile, beside = columns_ > kTile;
    store_sums<0>(held_);
    if (beside) store_sums<1>(held_);
    if (below) store_sums<2>(held_);
    if (below && beside) store_sums<3>(held_);
    held_ = {};
  }

  const GemmTask& task_;
  const std::int64_t steps_, range_;
  std::int64_t rows_ = 0, columns_ = 0;  // that the registers are shaped for
  Place held_;
};

void multiply(const GemmTask& task) {
  // GCC 12 declares no memory input on tile instructions.
  __asm__ volatile("" ::: "memory");
  Block(task).multiply();
  _tile_release();
  // Later loads of C read what the tiles stored.
  __asm__ volatile("" ::: "memory");
}

constexpr GemmKernel kernel() {
  GemmKernel made;
  made.rows = kPair;
  made.columns = kPair;
  made.number_bytes = 2;
  made.block_bytes = kBlockBytes;
  made.block_rows = kBlockRows;
  made.scratch_bytes = kBlockRows * kPair * 4;
  made.pack_a = pack_panels<FloatPairs<Unit>, BfloatPairs<Unit>, GemmTiles<true>>;
  made.pack_b = pack_panels<FloatPairs<Unit>, BfloatPairs<Unit>, GemmTiles<false>>;
  made.multiply = multiply;
  return made;
}

}  // namespace

constinit const GemmKernel kGemmAmx = kernel();

}  // namespace plinth::tensor
