// What the AVX2 kernels over the compact form share: integers as they are unpacked, and the sums of
// one block of two halves of 8 rows and up to 4 tokens, from whatever holds the block's weights.
//
// Zen 3 and Haswell onwards have 16 vector registers: 8 running int16 sums stay in them, and two
// vectors of weights; each broadcast of activations serves both halves, so that the two load ports
// keep up with the four arithmetic ones. The fp32 sums live in the first-level cache, touched once
// a block.
#pragma once

#include <immintrin.h>

#include <bit>
#include <cstdint>
#include <type_traits>

#include "tensor/quant/blocks.h"
#include "tensor/x86/compact_kernels.h"

namespace plinth::tensor {

inline constexpr int kHalfRows = 8;  // of a vector of 32 bytes
inline constexpr std::int64_t kHalfVector = kCompactVector / 2;

[[gnu::always_inline]] inline __m256i load_bytes(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

[[gnu::always_inline]] inline __m256i broadcast4(const std::int8_t* q) {
  int bytes = 0;
  __builtin_memcpy(&bytes, q, 4);
  return _mm256_set1_epi32(bytes);
}

[[gnu::always_inline]] inline __m256 load_fp16(const std::uint8_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

// What a zero adds to a dot, from PanelBlock::minus8.
template <int kZero>
[[gnu::always_inline]] inline __m256i zero_part(std::int32_t minus8) {
  const __m256i v = _mm256_set1_epi32(minus8);
  if constexpr (kZero < 8) return _mm256_srai_epi32(v, std::countr_zero(8u / kZero));
  if constexpr (kZero > 8) return _mm256_slli_epi32(v, std::countr_zero(kZero / 8u));
  return v;
}

[[gnu::always_inline]] inline __m256i widen(__m256i pairs) {
  return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

// Keeps the sums one chain each: compilers would add up trees, which need more registers than there
// are.
[[gnu::always_inline]] inline void pin(__m256i& sum) { __asm__("" : "+x"(sum)); }

// Sends sums to memory: where as many are running beside them there are no registers for both, and
// compilers would move out those that every instruction touches.
template <int kM>
[[gnu::always_inline]] inline void set_aside(__m256i (&sums)[2][kM]) {
  __asm__("" : "+m"(sums));
}

// Unsigned integers of vector kVector of 8 rows.
template <Integers kIntegers, int kVector>
[[gnu::always_inline]] inline __m256i load_unsigned(const std::uint8_t* q) {
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256i w = load_bytes(q + kVector % 4 * kCompactVector);
  if constexpr (kVector >= 4) w = _mm256_srli_epi16(w, 4);
  w = _mm256_and_si256(w, nibble);
  if constexpr (kIntegers == Integers::five) {
    const __m256i high = load_bytes(q + 4 * kCompactVector);
    const __m256i moved =
        kVector < 4 ? _mm256_slli_epi16(high, 4 - kVector) : _mm256_srli_epi16(high, kVector - 4);
    w = _mm256_or_si256(w, _mm256_and_si256(moved, _mm256_set1_epi8(16)));
  }
  if constexpr (kIntegers == Integers::six) {
    const __m256i high = load_bytes(q + (4 + kVector / 4) * kCompactVector);
    constexpr int kUp = 4 - kVector % 4 * 2;
    const __m256i moved = kUp >= 0 ? _mm256_slli_epi16(high, kUp) : _mm256_srli_epi16(high, -kUp);
    w = _mm256_or_si256(w, _mm256_and_si256(moved, _mm256_set1_epi8(48)));
  }
  return w;
}

// Signed integers of one vector of 8 rows.
template <Integers kIntegers>
[[gnu::always_inline]] inline __m256i load_signed(const std::uint8_t* q, int vector) {
  if constexpr (kIntegers == Integers::bytes) {
    return load_bytes(q + vector * kCompactVector);
  } else {
    const __m256i table = _mm256_broadcastsi128_si256(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(quant::kIq4Values)));
    __m256i nibbles = load_bytes(q + vector % 4 * kCompactVector);
    if (vector >= 4) nibbles = _mm256_srli_epi16(nibbles, 4);
    return _mm256_shuffle_epi8(table, _mm256_and_si256(nibbles, _mm256_set1_epi8(15)));
  }
}

// Where a record has what, as CompactForm says it: one block of 16 rows as it is packed.
template <Integers kIntegers, int kSubs, bool kOffsets>
struct Record {
  static constexpr std::int64_t kScaleBytes = kCompactScales * kSubs * (kOffsets ? 2 : 1);
  static constexpr std::int64_t kBytes = kScaleBytes + kCompactVector * stored_vectors(kIntegers);

  const std::uint8_t* at;

  const std::uint8_t* integers(int half) const { return at + kScaleBytes + half * kHalfVector; }
  template <int kVector>
  [[gnu::always_inline]] __m256i weights(int half) const {
    return load_unsigned<kIntegers, kVector>(integers(half));
  }
  // Scales first, then offsets.
  [[gnu::always_inline]] __m256 scale(int index, int half) const {
    return load_fp16(at + index * kCompactScales + half * (kCompactScales / 2));
  }
};

[[gnu::always_inline]] inline __m256i row_mask(int rows) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(rows), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

// The hardware stops running ahead at each 4 KiB of memory, so the kernel does it: on through the
// tile and into the next.
inline constexpr std::int64_t kAheadBytes = 2 << 10;
inline constexpr std::int64_t kCacheLine = 64;

template <typename R>
[[gnu::always_inline]] inline void fetch_ahead(R record) {
#pragma GCC unroll 9
  for (std::int64_t line = 0; line < R::kBytes; line += kCacheLine) {
    _mm_prefetch(record.at + kAheadBytes + line, _MM_HINT_T0);
  }
}

// Calls some(kM) for the task's tokens, four at a time, with `task` moved on to them.
template <typename Some>
[[gnu::always_inline]] inline void for_each_panel(CompactTask& task, const Some& some) {
  for (; task.m >= kPanelTokens; task.m -= kPanelTokens) {
    some(std::integral_constant<int, kPanelTokens>());
    task.cold = false;
    task.panels += task.blocks;
    task.y += kPanelTokens * task.ldy;
  }
  if (task.m == 3) some(std::integral_constant<int, 3>());
  if (task.m == 2) some(std::integral_constant<int, 2>());
  if (task.m == 1) some(std::integral_constant<int, 1>());
}

// Eight sums of one token, of which the first `rows` exist. A masked store takes AMD's processors a
// dozen cycles, so that only the last rows of a matrix take it.
[[gnu::always_inline]] inline __m256 load_sums(const float* y, int rows) {
  return rows >= kHalfRows ? _mm256_loadu_ps(y) : _mm256_maskload_ps(y, row_mask(rows));
}
[[gnu::always_inline]] inline void store_sums(float* y, int rows, __m256 sums) {
  if (rows >= kHalfRows) return _mm256_storeu_ps(y, sums);
  _mm256_maskstore_ps(y, row_mask(rows), sums);
}

// Sums of a tile's rows and kM tokens across the blocks of one call.
template <int kM>
struct Sums {
  __m256 at[2][kM];

  [[gnu::always_inline]] void begin(const CompactTask& task) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
#pragma GCC unroll 4
      for (int t = 0; t < kM; ++t) {
        at[h][t] = task.first_block == 0 ? _mm256_setzero_ps()
                                         : load_sums(task.y + t * task.ldy + h * kHalfRows,
                                                     task.rows - h * kHalfRows);
      }
    }
  }
  [[gnu::always_inline]] void end(const CompactTask& task) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const __m256 scale =
          task.last_block == task.blocks
              ? _mm256_loadu_ps(reinterpret_cast<const float*>(task.tile) + h * kHalfRows)
              : _mm256_set1_ps(1.0f);
#pragma GCC unroll 4
      for (int t = 0; t < kM; ++t) {
        store_sums(task.y + t * task.ldy + h * kHalfRows, task.rows - h * kHalfRows,
                   _mm256_mul_ps(at[h][t], scale));
      }
    }
  }
};

// vpmaddubsw multiplies unsigned weights by signed activations and adds pairs in int16. Sums of
// pairs stay in int16 as long as they fit: 8 pairs of nibbles (8 * 2 * 15 * 127 = 30,480), 4 of
// five-bit integers (31,496), 2 of six-bit ones (32,004).
constexpr int pairs_that_fit(Integers integers) {
  return integers == Integers::six ? 2 : (integers == Integers::five ? 4 : 8);
}

// Pair sums of vectors [kVector, kVector + kLeft) join `pairs`, which is empty where kFresh. One
// broadcast of the activations serves both halves. weights.weights<j>(half) has the integers.
template <int kVector, int kLeft, bool kFresh, int kM, typename W>
[[gnu::always_inline]] inline void add_pairs(const W& weights, const PanelBlock& x,
                                             __m256i (&pairs)[2][kM]) {
  if constexpr (kLeft > 0) {
    __m256i w[2];
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) w[h] = weights.template weights<kVector>(h);
#pragma GCC unroll 4
    for (int t = 0; t < kM; ++t) {
      const __m256i four = broadcast4(x.q[t] + 4 * kVector);
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
        const __m256i product = _mm256_maddubs_epi16(w[h], four);
        pairs[h][t] = kFresh ? product : _mm256_add_epi16(pairs[h][t], product);
        pin(pairs[h][t]);
      }
    }
    add_pairs<kVector + 1, kLeft - 1, false, kM>(weights, x, pairs);
  }
}

// Exact sums of products over vectors [kVector, kVector + kLeft), in int32.
template <int kFits, int kVector, int kLeft, bool kFresh, int kM, typename W>
[[gnu::always_inline]] inline void add_dots(const W& weights, const PanelBlock& x,
                                            __m256i (&dots)[2][kM]) {
  constexpr int kRun = kFits < kLeft ? kFits : kLeft;
  if constexpr (kLeft > 0) {
    __m256i pairs[2][kM];
    add_pairs<kVector, kRun, true, kM>(weights, x, pairs);
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
#pragma GCC unroll 4
      for (int t = 0; t < kM; ++t) {
        const __m256i wide = widen(pairs[h][t]);
        dots[h][t] = kFresh ? wide : _mm256_add_epi32(dots[h][t], wide);
      }
    }
    if constexpr (kRun < kLeft) set_aside(dots);
    add_dots<kFits, kVector + kRun, kLeft - kRun, false, kM>(weights, x, dots);
  }
}

// dots are of q; those of q - zero are what the kernels multiply with.
template <int kZero, int kM>
[[gnu::always_inline]] inline void take_zero(const std::int32_t* minus8, __m256i (&dots)[2][kM]) {
#pragma GCC unroll 4
  for (int t = 0; t < kM; ++t) {
    const __m256i less = zero_part<kZero>(minus8[t]);
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) dots[h][t] = _mm256_add_epi32(dots[h][t], less);
  }
}

// sums += d * x.d * dots, d: the scales of that index.
template <int kM, typename W>
[[gnu::always_inline]] inline void add_scaled(const W& weights, int index, const PanelBlock& x,
                                              __m256i dots[2][kM], __m256 sums[2][kM]) {
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    const __m256 d = weights.scale(index, h);
#pragma GCC unroll 4
    for (int t = 0; t < kM; ++t) {
      const __m256 both = _mm256_mul_ps(d, _mm256_set1_ps(x.scale[t].d));
      sums[h][t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[h][t]), both, sums[h][t]);
    }
  }
}

// Sub-block kSub of one block of unsigned integers: dots, scales and offsets join the sums.
template <Integers kIntegers, int kSubs, int kSub, bool kOffsets, int kM, typename W>
[[gnu::always_inline]] inline void add_sub_block(const W& weights, const PanelBlock& x,
                                                 __m256 sums[2][kM]) {
  constexpr int kVectors = 8 / kSubs;
  __m256i dots[2][kM];
  add_dots<pairs_that_fit(kIntegers), kSub * kVectors, kVectors, true, kM>(weights, x, dots);
  if constexpr (!kOffsets) {
    take_zero<zero_of(kIntegers, kSubs), kM>(x.minus8[PanelBlock::part(kSubs, kSub)], dots);
  }
  add_scaled<kM>(weights, kSub, x, dots, sums);
  if constexpr (kOffsets) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const __m256 m = weights.scale(kSubs + kSub, h);
#pragma GCC unroll 4
      for (int t = 0; t < kM; ++t) {
        const auto& scale = x.scale[t];
        const float s = kSubs == 1 ? scale.s : (kSub == 0 ? scale.low_s : scale.high_s);
        sums[h][t] = _mm256_fmadd_ps(m, _mm256_set1_ps(s), sums[h][t]);
      }
    }
  }
}

// One whole block.
template <Integers kIntegers, int kSubs, bool kOffsets, int kM, typename W>
[[gnu::always_inline]] inline void add_block(const W& weights, const PanelBlock& x,
                                             __m256 sums[2][kM]) {
  add_sub_block<kIntegers, kSubs, 0, kOffsets, kM>(weights, x, sums);
  if constexpr (kSubs == 2) add_sub_block<kIntegers, kSubs, 1, kOffsets, kM>(weights, x, sums);
}

}  // namespace plinth::tensor
