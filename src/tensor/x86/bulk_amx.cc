#include <immintrin.h>

#include <algorithm>

#include "tensor/x86/bulk_kernels.h"
#include "tensor/x86/compact_dispatch.h"
#include "tensor/x86/compact_vectors512.h"
#include "tensor/x86/tile_config.h"

// Weights are the second operand of a tile product: 16 pairs of columns by 16 rows of W, one row a
// lane as in the compact form, so that unpacking never moves a number between lanes.
namespace plinth::tensor {

namespace {

constexpr std::int64_t kTileRow = 64;  // bytes

// The numbers that four bits stand for.
template <Integers kIntegers, int kSubs, bool kOffsets>
[[gnu::always_inline]] inline __m512 nibble_values() {
  alignas(64) float values[16];
  for (int q = 0; q < 16; ++q) {
    const int zero = kOffsets ? 0 : zero_of(kIntegers, kSubs);
    values[q] = static_cast<float>(kIntegers == Integers::codes ? quant::kIq4Values[q] : q - zero);
  }
  return _mm512_load_ps(values);
}

// Scales of a block in fp32, one row a lane; m is minus zero times d where the form has no offsets.
template <Integers kIntegers, int kSubs, bool kOffsets>
struct Unpacker {
  using R = Record512<kIntegers, kSubs, kOffsets>;
  static constexpr bool kNibbles = kIntegers == Integers::nibbles || kIntegers == Integers::codes;

  const __m512 row_scale;
  const __m512 values = nibble_values<kIntegers, kSubs, kOffsets>();
  // Interleaves the even columns' 16 numbers with the odd ones'.
  const __m512i pairs = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);

  [[gnu::always_inline]] void store(__m512 even, __m512 odd, std::uint16_t* out) const {
    const auto both = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd, even));
    _mm512_store_si512(out, _mm512_permutexvar_epi16(pairs, both));
  }

  // One block into 16 pairs of columns, [16, 16, 2].
  [[gnu::always_inline]] void block(const std::uint8_t* at, std::uint16_t* out) const {
    const R record{at};
    __m512 d[kSubs], m[kSubs];
#pragma GCC unroll 2
    for (int sub = 0; sub < kSubs; ++sub) {
      d[sub] = _mm512_mul_ps(record.scale(sub), row_scale);
      if constexpr (kOffsets) {
        m[sub] = _mm512_mul_ps(record.offset(sub), row_scale);
      } else {
        m[sub] = _mm512_mul_ps(
            d[sub], _mm512_set1_ps(-static_cast<float>(unsigned_zero(kIntegers, kSubs))));
      }
    }
    if constexpr (kNibbles) {
      nibbles(at + R::kScaleBytes, d, m, out);
    } else {
      bytes(record, d, m, out);
    }
  }

  [[gnu::always_inline]] void nibbles(const std::uint8_t* q, const __m512 d[kSubs],
                                      const __m512 m[kSubs], std::uint16_t* out) const {
    // The permutation reads the lowest four bits of each lane alone.
    const auto scaled = [&](__m512i w, unsigned shift, int sub) {
      const __m512 value = _mm512_permutexvar_ps(_mm512_srli_epi32(w, shift), values);
      return kOffsets ? _mm512_fmadd_ps(value, d[sub], m[sub]) : _mm512_mul_ps(value, d[sub]);
    };
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const __m512i w = _mm512_loadu_si512(q + j * kCompactVector);
#pragma GCC unroll 2
      for (int high = 0; high < 2; ++high) {
        const auto at = static_cast<unsigned>(4 * high);
        const int sub = kSubs == 1 ? 0 : high;
        std::uint16_t* to = out + (8 * high + 2 * j) * kCompactBlock;
        store(scaled(w, at, sub), scaled(w, at + 8, sub), to);
        store(scaled(w, at + 16, sub), scaled(w, at + 24, sub), to + kCompactBlock);
      }
    }
  }

  [[gnu::always_inline]] void bytes(const R& record, const __m512 d[kSubs], const __m512 m[kSubs],
                                    std::uint16_t* out) const {
    __m512i w[8];
    record.integers(w);
    const __m512i low = _mm512_set1_epi32(255);
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      const int sub = kSubs == 1 ? 0 : j / 4;
      const auto scaled = [&](unsigned shift) {
        const __m512i q = _mm512_and_si512(_mm512_srli_epi32(w[j], shift), low);
        return _mm512_fmadd_ps(_mm512_cvtepi32_ps(q), d[sub], m[sub]);
      };
      store(scaled(0), scaled(8), out + 2 * j * kCompactBlock);
      store(scaled(16), scaled(24), out + (2 * j + 1) * kCompactBlock);
    }
  }
};

// Blocks [first, last) of one tile.
template <Integers kIntegers, int kSubs, bool kOffsets>
void unpack(const std::uint8_t* tile, std::int64_t first, std::int64_t last, std::uint16_t* out) {
  using U = Unpacker<kIntegers, kSubs, kOffsets>;
  const U unpacker{_mm512_loadu_ps(tile)};
  const std::uint8_t* at = tile + kCompactRows * 4 + first * U::R::kBytes;
  for (auto b = first; b < last; ++b, at += U::R::kBytes, out += kBulkTile) {
    unpacker.block(at, out);
  }
}

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
  bool first = false;                // sums start from zero
  float *from[4] = {}, *to[4] = {};  // by register
  std::int64_t to_stride[4] = {};    // bytes
  // To be had in the first-level cache soon: the next quad's sums, by register.
  const float* soon[4] = {};
  // In the second-level one: a quarter of a group's activations of the next range; null = none.
  const std::uint16_t* later = nullptr;
};

// What one block of a product fetches beside it, a line of each tile of the next sums and as much
// of `later`.
[[gnu::always_inline]] inline void fetch_ahead(const Quad& quad, std::int64_t block) {
  constexpr std::int64_t kLineFloats = 16, kLineNumbers = 32;
  if (quad.soon[0] != nullptr && block < kBulkTokens) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) _mm_prefetch(quad.soon[i] + block * kLineFloats, _MM_HINT_T0);
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
    _tile_loadd(0, quad.from[0], kTileRow);
    if constexpr (kRows) _tile_loadd(1, quad.from[1], kTileRow);
    if constexpr (kTokens) _tile_loadd(2, quad.from[2], kTileRow);
    if constexpr (kRows && kTokens) _tile_loadd(3, quad.from[3], kTileRow);
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
  _tile_stored(0, quad.to[0], quad.to_stride[0]);
  if constexpr (kRows) _tile_stored(1, quad.to[1], quad.to_stride[1]);
  if constexpr (kTokens) _tile_stored(2, quad.to[2], quad.to_stride[2]);
  if constexpr (kRows && kTokens) _tile_stored(3, quad.to[3], quad.to_stride[3]);
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
      for (int i = 0; i < 4; ++i) place(quad, i, tile + i % 2, group + i / 2);
      look_ahead(quad, tile, group);
      if (two) {
        next ? tensor::multiply<true, true>(quad) : tensor::multiply<true, false>(quad);
      } else {
        next ? tensor::multiply<false, true>(quad) : tensor::multiply<false, false>(quad);
      }
    }
    if (last_ == task_.blocks) copy_edge(two ? tile + 1 : tile);
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
  bool is_edge(int tile) const {
    return tile + 1 == task_.tile_count && task_.last_rows < kCompactRows;
  }
  // Sums pause in the scratch between ranges; rows that do not exist have no place in y.
  void place(Quad& quad, int i, int tile, int group) const {
    quad.from[i] = quad.to[i] = sums(tile, group);
    quad.to_stride[i] = kTileRow;
    if (last_ < task_.blocks || is_edge(tile)) return;
    quad.to[i] = task_.y + group * kBulkTokens * task_.ldy + tile * kCompactRows;
    quad.to_stride[i] = task_.ldy * 4;
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
  void copy_edge(int tile) const {
    if (!is_edge(tile)) return;
    __asm__ volatile("" ::: "memory");
    for (int t = 0; t < task_.m; ++t) {
      const float* row = sums(tile, t / kBulkTokens) + t % kBulkTokens * kCompactRows;
      std::copy_n(row, task_.last_rows, task_.y + t * task_.ldy + tile * kCompactRows);
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
  // Later loads of y read what the tiles stored.
  __asm__ volatile("" ::: "memory");
}

}  // namespace

void round_to_tiles_amx(const float* x, std::int64_t columns, std::uint16_t* out) {
  for (std::int64_t c = 0; c < columns; c += kCompactBlock, out += kBulkTile) {
    const auto left = columns - c;
    const auto mask = left >= kCompactBlock ? ~0u : (1u << left) - 1;
    const __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), x + c);
    const __m512 high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), x + c + 16);
    _mm512_storeu_si512(out, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
  }
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
