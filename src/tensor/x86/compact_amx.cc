#include <immintrin.h>

#include <algorithm>

#include "tensor/x86/compact_dispatch.h"
#include "tensor/x86/compact_kernels.h"
#include "tensor/x86/compact_vectors512.h"
#include "tensor/x86/tile_config.h"

// Integer products are exact, so tiles and VPDPBUSD give the same bits: each number of tokens runs
// on what is faster.
namespace plinth::tensor {

namespace {

// One tile product: 16 tokens (A, signed) by 16 weight rows (B, unsigned) over one sub-block. A
// block's unsigned integers already have B's layout: 8 rows of 16 lanes of 4 columns.
constexpr int kTokens = 16;
// Below this a token costs less with VPDPBUSD than the tile that it would share.
constexpr int kTilesFrom = 5;

struct alignas(64) Dots {
  std::int32_t at[kTokens][kCompactRows];
};

// Tile registers are named by constants, hence one function for each of the two sets.
[[gnu::always_inline]] inline void dot_even(const std::int8_t* x, std::int64_t columns,
                                            const std::uint8_t* w, Dots& out) {
  _tile_zero(0);
  _tile_loadd(2, x, columns);
  _tile_loadd(4, w, kCompactVector);
  _tile_dpbsud(0, 2, 4);
  _tile_stored(0, out.at, kCompactVector);
  __asm__ volatile("" ::: "memory");
}

[[gnu::always_inline]] inline void dot_odd(const std::int8_t* x, std::int64_t columns,
                                           const std::uint8_t* w, Dots& out) {
  _tile_zero(1);
  _tile_loadd(3, x, columns);
  _tile_loadd(5, w, kCompactVector);
  _tile_dpbsud(1, 3, 5);
  _tile_stored(1, out.at, kCompactVector);
  __asm__ volatile("" ::: "memory");
}

// Up to 16 tokens over one range of blocks, whose integers lie unpacked at `unpacked`.
template <Integers kIntegers, int kSubs, bool kOffsets>
struct TileProduct {
  using R = Record512<kIntegers, kSubs, kOffsets>;
  static constexpr int kSubColumns = kCompactBlock / kSubs;
  static constexpr std::int64_t kSubBytes = kCompactScratch / kSubs;

  const CompactTask& task;
  const std::uint8_t* unpacked;
  int tokens;
  __m512 sums[kTokens] = {};

  // The same operations in the same order as the AVX-512 kernel's.
  [[gnu::always_inline]] void accumulate(const Dots& dots, std::int64_t sub_index) {
    const auto b = task.first_block + sub_index / kSubs;
    const int sub = static_cast<int>(sub_index % kSubs);
    const R record{task.record() + sub_index / kSubs * R::kBytes};
    const __m512 d = record.scale(sub);
    __m512 m = d;
    if constexpr (kOffsets) m = record.offset(sub);
    for (int t = 0; t < tokens; ++t) {
      const PanelBlock& x = task.panels[t / kPanelTokens * task.blocks + b];
      const int lane = t % kPanelTokens;
      const auto& scale = x.scale[lane];
      __m512i dot = _mm512_load_si512(dots.at[t]);
      if constexpr (!kOffsets) {
        dot = _mm512_add_epi32(dot, zero_part<unsigned_zero(kIntegers, kSubs)>(
                                        x.minus8[PanelBlock::part(kSubs, sub)][lane]));
      }
      const __m512 both = _mm512_mul_ps(d, _mm512_set1_ps(scale.d));
      sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), both, sums[t]);
      if constexpr (kOffsets) {
        const float s = kSubs == 1 ? scale.s : (sub == 0 ? scale.low_s : scale.high_s);
        sums[t] = _mm512_fmadd_ps(m, _mm512_set1_ps(s), sums[t]);
      }
    }
  }

  // The product of the next sub-block runs while one is accumulated.
  void run() {
    const auto mask = static_cast<__mmask16>((1u << task.rows) - 1);
    for (int t = 0; t < tokens && task.first_block > 0; ++t) {
      sums[t] = _mm512_maskz_loadu_ps(mask, task.y + t * task.ldy);
    }
    const std::int64_t columns = task.blocks * kCompactBlock;
    const std::int64_t count = (task.last_block - task.first_block) * kSubs;
    const std::int8_t* x = task.rows_of_x + task.first_block * kCompactBlock;
    const auto x_at = [&](std::int64_t sub_index) { return x + sub_index * kSubColumns; };
    const auto w_at = [&](std::int64_t sub_index) { return unpacked + sub_index * kSubBytes; };
    Dots even, odd;
    dot_even(x_at(0), columns, w_at(0), even);
    for (std::int64_t i = 0; i < count; i += 2) {
      if (i + 1 < count) dot_odd(x_at(i + 1), columns, w_at(i + 1), odd);
      accumulate(even, i);
      if (i + 1 == count) break;
      if (i + 2 < count) dot_even(x_at(i + 2), columns, w_at(i + 2), even);
      accumulate(odd, i + 1);
    }
    const __m512 scale =
        task.last_block == task.blocks ? _mm512_loadu_ps(task.tile) : _mm512_set1_ps(1.0f);
    for (int t = 0; t < tokens; ++t) {
      _mm512_mask_storeu_ps(task.y + t * task.ldy, mask, _mm512_mul_ps(sums[t], scale));
    }
  }
};

template <Integers kIntegers, int kSubs, bool kOffsets>
void unpack(const CompactTask& task, std::uint8_t* out) {
  using R = Record512<kIntegers, kSubs, kOffsets>;
  R record{task.record()};
  for (auto b = task.first_block; b < task.last_block; ++b, record.at += R::kBytes) {
    __m512i w[8];
    record.integers(w);
    for (int j = 0; j < 8; ++j, out += kCompactVector) _mm512_storeu_si512(out, w[j]);
  }
}

void configure(int tokens, int subs) {
  TileConfig config;
  for (const int c : {0, 1}) config.shape(c, tokens, kCompactVector);
  for (const int a : {2, 3}) config.shape(a, tokens, kCompactBlock / subs);
  for (const int b : {4, 5}) config.shape(b, 8 / subs, kCompactVector);
  config.load();
}

template <Integers kIntegers, int kSubs, bool kOffsets>
void tokens(CompactTask task) {
  unpack<kIntegers, kSubs, kOffsets>(task, task.scratch);
  int configured = 0;
  while (task.m >= kTilesFrom) {
    const int count = std::min(task.m, kTokens);
    if (count != configured) configure(count, kSubs);
    configured = count;
    TileProduct<kIntegers, kSubs, kOffsets>{task, task.scratch, count}.run();
    task.m -= count;
    task.panels += count / kPanelTokens * task.blocks;
    task.rows_of_x += count * task.blocks * kCompactBlock;
    task.y += count * task.ldy;
  }
  _tile_release();
  if (task.m > 0) kCompactAvx512.multiply(task);
}

void multiply(const CompactTask& task) {
  if (task.m < kTilesFrom) return kCompactAvx512.multiply(task);
  with_compact_form(*task.form, [&]<Integers kIntegers, int kSubs, bool kOffsets>() {
    tokens<kIntegers, kSubs, kOffsets>(task);
  });
}

}  // namespace

const CompactKernels kCompactAmx = {multiply, quantize_panel_avx2, true};

}  // namespace plinth::tensor
