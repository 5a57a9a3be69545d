#include <immintrin.h>

#include <algorithm>

#include "tensor/x86/bulk_kernels.h"
#include "tensor/x86/bulk_unpack512.h"
#include "tensor/x86/compact_dispatch.h"
#include "tensor/x86/tile_config.h"

// Weights are the second operand of a tile product: 16 pairs of columns by 16 rows of W, one row a
// lane as in the compact form, so that unpacking never moves a number between lanes.
namespace plinth::tensor {

namespace {

constexpr std::int64_t kTileRow = 64;  // bytes

// Tile registers: sums of the first 16 tokens and either tile of rows in 0 and 1, of the next 16 in
// 2 and 3; weights in 4 and 5; activations in 6 and 7.
void configure(int tokens) {
  const int next = std::max(tokens - kBulkTokens, 1);
  TileConfig config;
  for (const int tile : {0, 1, 6}) config.shape(tile, std::min(tokens, kBulkTokens), kTileRow);
  for (const int tile : {2, 3, 7}) config.shape(tile, next, kTileRow);
  for (const int tile : {4, 5}) config.shape(tile, kCompactBlock / 2, kTileRow);
  config.load();
}

// Up to two tiles of rows by up to two of tokens over one range of blocks.
struct Quad {
  const std::uint16_t *w[2] = {}, *x[2] = {};  // [blocks, 512]
  std::int64_t blocks = 0;
  bool first = false;                 // sums start from zero
  float *sums[4] = {}, *to[4] = {};   // by register
  std::int64_t to_stride = kTileRow;  // bytes
  // To be had in the first-level cache soon: the next quad's sums, by register.
  const float* soon[4] = {};
  // In the second-level one: a quarter of a group's activations of the next range; null = none.
  const std::uint16_t* later = nullptr;
  // There too: so many lines of the packed weights of the next two tiles; null = none.
  const std::uint8_t* packed[2] = {};
  std::int64_t packed_lines = 0;
};

// What one block of a product fetches beside it, a line of each tile of the next sums and weights
// and of the four streams of `later`.
[[gnu::always_inline]] inline void fetch_ahead(const Quad& quad, std::int64_t block) {
  constexpr std::int64_t kLine = 64, kLineFloats = 16, kLineNumbers = 32;
  if (quad.soon[0] != nullptr && block < kBulkTokens) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) _mm_prefetch(quad.soon[i] + block * kLineFloats, _MM_HINT_T0);
  }
  if (block < quad.packed_lines) {
    _mm_prefetch(quad.packed[0] + block * kLine, _MM_HINT_T1);
    if (quad.packed[1] != nullptr) _mm_prefetch(quad.packed[1] + block * kLine, _MM_HINT_T1);
  }
  if (quad.later == nullptr) return;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
    _mm_prefetch(quad.later + (4 * block + i) * kLineNumbers, _MM_HINT_T1);
}

// Each tile register is named by a constant. Activations come from the second-level cache and pass
// by: they may not push the weights out of the first.
template <bool kRows, bool kTokens>
void multiply(const Quad& quad) {
  if (quad.first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, quad.sums[0], kTileRow);
    if constexpr (kRows) _tile_loadd(1, quad.sums[1], kTileRow);
    if constexpr (kTokens) _tile_loadd(2, quad.sums[2], kTileRow);
    if constexpr (kRows && kTokens) _tile_loadd(3, quad.sums[3], kTileRow);
  }
  const std::uint16_t *w0 = quad.w[0], *w1 = quad.w[1], *x0 = quad.x[0], *x1 = quad.x[1];
  for (std::int64_t b = 0; b < quad.blocks; ++b) {
    fetch_ahead(quad, b);
    _tile_loadd(4, w0, kTileRow);
    _tile_stream_loadd(6, x0, kTileRow);
    _tile_dpbf16ps(0, 6, 4);
    if constexpr (kRows) {
      _tile_loadd(5, w1, kTileRow);
      _tile_dpbf16ps(1, 6, 5);
    }
    if constexpr (kTokens) {
      _tile_stream_loadd(7, x1, kTileRow);
      _tile_dpbf16ps(2, 7, 4);
      if constexpr (kRows) _tile_dpbf16ps(3, 7, 5);
    }
    w0 += kBulkTile;
    w1 += kBulkTile;
    x0 += kBulkTile;
    x1 += kBulkTile;
  }
  _tile_stored(0, quad.to[0], quad.to_stride);
  if constexpr (kRows) _tile_stored(1, quad.to[1], quad.to_stride);
  if constexpr (kTokens) _tile_stored(2, quad.to[2], quad.to_stride);
  if constexpr (kRows && kTokens) _tile_stored(3, quad.to[3], quad.to_stride);
}

// One range of blocks of one task.
class Range {
 public:
  Range(const BulkTask& task, std::int64_t first)
      : task_(task),
        groups_(base::ceil_div(task.m, kBulkTokens)),
        first_(first),
        last_(std::min(first + task.range(), task.blocks)) {}
  std::int64_t first() const { return first_; }
  std::int64_t last() const { return last_; }

  // All tokens by the tiles of rows `tile` and, where it exists, the next, whose blocks of this
  // range are w0 and w1.
  void multiply(int tile, const std::uint16_t* w0, const std::uint16_t* w1) {
    // GCC 12 declares no memory input on tile instructions.
    __asm__ volatile("" ::: "memory");
    const bool two = tile + 1 < task_.tile_count;
    for (int group = 0; group < groups_; group += 2) {
      const int tokens = std::min(task_.m - group * kBulkTokens, 2 * kBulkTokens);
      const bool next = tokens > kBulkTokens;
      shape(tokens);
      Quad quad;
      quad.blocks = last_ - first_;
      quad.first = first_ == 0;
      quad.w[0] = w0;
      quad.w[1] = w1;
      quad.x[0] = activations(group);
      quad.x[1] = activations(next ? group + 1 : group);
      for (int i = 0; i < 4; ++i) quad.to[i] = quad.sums[i] = sums(tile + i % 2, group + i / 2);
      const bool as_is = is_whole(two ? tile + 1 : tile);
      if (as_is) into_y(quad, tile, group);
      look_ahead(quad, tile, group);
      weights_ahead(quad, tile, group);
      if (two) {
        next ? tensor::multiply<true, true>(quad) : tensor::multiply<true, false>(quad);
      } else {
        next ? tensor::multiply<false, true>(quad) : tensor::multiply<false, false>(quad);
      }
      if (last_ < task_.blocks || as_is) continue;
      __asm__ volatile("" ::: "memory");
      for (int i = 0; i < 4; ++i) {
        if ((i % 2 == 0 || two) && (i / 2 == 0 || next)) finish(tile + i % 2, group + i / 2);
      }
    }
  }

 private:
  void shape(int tokens) {
    if (tokens == shaped_) return;
    configure(tokens);
    shaped_ = tokens;
  }
  const std::uint16_t* activations(int group) const {
    return task_.x + (group * task_.blocks + first_) * kBulkTile;
  }
  float* sums(int tile, int group) const {
    return task_.sums + (std::int64_t{tile} * groups_ + group) * kBulkTokens * kCompactRows;
  }
  // The next quad of this range, where it is whole, and a part of the next range: the pairs of
  // tiles of a task fetch all of it between them, each a quarter of every other group.
  void look_ahead(Quad& quad, int tile, int group) const {
    constexpr int kPairs = kBulkTaskTiles / 2, kParts = kPairs / 2;
    const bool in_row = group + 2 < groups_;
    const int next_tile = in_row ? tile : tile + 2, next_group = in_row ? group + 2 : 0;
    if (first_ > 0 && next_tile + 1 < task_.tile_count && next_group + 1 < groups_) {
      for (int i = 0; i < 4; ++i) quad.soon[i] = sums(next_tile + i % 2, next_group + i / 2);
    }
    const int pair = tile / 2, of = group + pair % 2;
    if (last_ == task_.blocks || pair >= kPairs || of >= groups_) return;
    const auto share = std::min(last_ - first_, task_.blocks - last_) * kBulkTile / kParts;
    quad.later = task_.x + (of * task_.blocks + last_) * kBulkTile + pair / 2 * share;
  }
  // Whether the tile's sums are rows of y as they are.
  bool is_whole(int tile) const {
    return last_ == task_.blocks && task_.form == nullptr &&
           (tile + 1 < task_.tile_count || task_.last_rows == kCompactRows);
  }
  void into_y(Quad& quad, int tile, int group) const {
    quad.to_stride = task_.ldy * 4;
    for (int i = 0; i < 4; ++i) {
      quad.to[i] =
          task_.y + (group + i / 2) * kBulkTokens * task_.ldy + (tile + i % 2) * kCompactRows;
    }
  }
  // A share of the packed weights that the next products of the task unpack.
  void weights_ahead(Quad& quad, int tile, int group) const {
    if (task_.form == nullptr) return;
    const bool in_range = tile + 2 < task_.tile_count;
    const int next = in_range ? tile + 2 : 0;
    const auto first = in_range ? first_ : last_;
    const auto blocks = std::min(task_.range(), task_.blocks - first);
    if (blocks <= 0) return;
    const auto lines = base::ceil_div<std::int64_t>(blocks * task_.form->record_bytes(), 64);
    const auto share = base::ceil_div<std::int64_t>(lines, base::ceil_div(groups_, 2));
    const auto begin = group / 2 * share;
    if (begin >= lines) return;
    quad.packed[0] = task_.tiles + next * task_.tile_bytes + kCompactRows * 4 +
                     first * task_.form->record_bytes() + begin * 64;
    if (next + 1 < task_.tile_count) quad.packed[1] = quad.packed[0] + task_.tile_bytes;
    quad.packed_lines = std::min(share, lines - begin);
  }
  // The sums of one tile of rows and of tokens, which the rows' scales follow, into y.
  void finish(int tile, int group) const {
    const bool edge = tile + 1 == task_.tile_count && task_.last_rows < kCompactRows;
    const auto rows = static_cast<__mmask16>((1u << (edge ? task_.last_rows : kCompactRows)) - 1);
    __m512 scale = _mm512_set1_ps(1), up = scale;
    if (task_.form != nullptr) {
      scale = _mm512_loadu_ps(task_.tiles + tile * task_.tile_bytes);
      up = _mm512_set1_ps(kBulkUp);
    }
    const int first = group * kBulkTokens, tokens = std::min(task_.m - first, kBulkTokens);
    const float* from = sums(tile, group);
    float* y = task_.y + first * task_.ldy + tile * kCompactRows;
    const bool past = task_.past_caches && !edge;
    for (int t = 0; t < tokens; ++t, y += task_.ldy, from += kCompactRows) {
      const __m512 sum = _mm512_mul_ps(_mm512_mul_ps(_mm512_load_ps(from), up), scale);
      past ? _mm512_stream_ps(y, sum) : _mm512_mask_storeu_ps(y, rows, sum);
    }
  }

  const BulkTask& task_;
  const int groups_;
  const std::int64_t first_, last_;
  int shaped_ = 0;  // tokens
};

// blocks_of(tile, range, i): the blocks of one tile, of which two are in use at a time.
template <typename BlocksOf>
void all_ranges(const BulkTask& task, const BlocksOf& blocks_of) {
  for (std::int64_t first = 0; first < task.blocks; first += task.range()) {
    Range range(task, first);
    for (int tile = 0; tile < task.tile_count; tile += 2) {
      const std::uint16_t* w = blocks_of(tile, range, 0);
      range.multiply(tile, w, tile + 1 < task.tile_count ? blocks_of(tile + 1, range, 1) : w);
    }
  }
  _tile_release();
  if (task.past_caches) _mm_sfence();
  // Later loads of y read what the tiles stored.
  __asm__ volatile("" ::: "memory");
}

template <bool kScaled>
void round_row(const float* x, std::int64_t columns, std::uint16_t* out) {
  const __m512 up = _mm512_set1_ps(kBulkUp);
  // Of each four columns the second and the third change places: bulk_column().
  const __m512i order = _mm512_set4_epi32(0x0f0e0b0a, 0x0d0c0908, 0x07060302, 0x05040100);
  for (std::int64_t c = 0; c < columns; c += kCompactBlock, out += kBulkTile) {
    const auto left = columns - c;
    const auto mask = left >= kCompactBlock ? ~0u : (1u << left) - 1;
    __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), x + c);
    __m512 high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), x + c + 16);
    if constexpr (kScaled) {
      low = _mm512_mul_ps(low, up);
      high = _mm512_mul_ps(high, up);
    }
    auto both = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
    if constexpr (kScaled) both = _mm512_shuffle_epi8(both, order);
    _mm512_storeu_si512(out, both);
  }
}

}  // namespace

void round_for_floats_amx(const float* x, std::int64_t columns, std::uint16_t* out) {
  round_row<false>(x, columns, out);
}

void round_for_compact_amx(const float* x, std::int64_t columns, std::uint16_t* out) {
  round_row<true>(x, columns, out);
}

void multiply_bulk_amx(const BulkTask& task) {
  if (task.form == nullptr) {
    return all_ranges(task, [&](int tile, const Range& range, int) {
      const std::uint8_t* at = task.tiles + tile * task.tile_bytes;
      return reinterpret_cast<const std::uint16_t*>(at) + range.first() * kBulkTile;
    });
  }
  with_compact_form(*task.form, [&]<Integers kIntegers, int kSubs, bool kOffsets>() {
    all_ranges(task, [&](int tile, const Range& range, int i) {
      std::uint16_t* out = task.unpacked + i * kBulkRangeMax * kBulkTile;
      unpack<kIntegers, kSubs, kOffsets>(task.tiles + tile * task.tile_bytes, range.first(),
                                         range.last(), out);
      return static_cast<const std::uint16_t*>(out);
    });
  });
}

}  // namespace plinth::tensor
