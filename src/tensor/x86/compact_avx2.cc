#include <immintrin.h>

#include <bit>
#include <cstdint>
#include <type_traits>

#include "tensor/quant/blocks.h"
#include "tensor/x86/compact_dispatch.h"
#include "tensor/x86/compact_kernels.h"

// Zen 3 and Haswell onwards have 16 vector registers. A tile's two halves of 8 rows and 4 tokens
// keep 8 running int16 sums in them, and two vectors of weights; each broadcast of activations
// serves both halves, so that the two load ports keep up with the four arithmetic ones. The fp32
// sums live in the first-level cache, touched once a block.
// vpmaddubsw multiplies unsigned weights by signed activations and adds pairs in int16. Sums of
// pairs stay in int16 as long as they fit: 8 pairs of nibbles (8 * 2 * 15 * 127 = 30,480), 4 of
// five-bit integers (31,496), 2 of six-bit ones (32,004).
namespace plinth::tensor {

namespace {

constexpr int kHalf = 8;  // rows of a vector of 32 bytes

[[gnu::always_inline]] inline __m256i load(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

[[gnu::always_inline]] inline __m256i broadcast4(const std::int8_t* q) {
  int bytes = 0;
  __builtin_memcpy(&bytes, q, 4);
  return _mm256_set1_epi32(bytes);
}

// What a zero adds to a dot, from PanelBlock::minus8.
template <int kZero>
[[gnu::always_inline]] inline __m256i zero_part(std::int32_t minus8) {
  const __m256i v = _mm256_set1_epi32(minus8);
  if constexpr (kZero < 8) return _mm256_srai_epi32(v, std::countr_zero(8u / kZero));
  if constexpr (kZero > 8) return _mm256_slli_epi32(v, std::countr_zero(kZero / 8u));
  return v;
}

[[gnu::always_inline]] inline __m256 load_halves(const std::uint8_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

[[gnu::always_inline]] inline __m256i widen(__m256i pairs) {
  return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

// Keeps the sums one chain each: compilers would add up trees, which need more registers than there
// are.
[[gnu::always_inline]] inline void pin(__m256i& sum) { __asm__("" : "+x"(sum)); }

// Where a record has what, as CompactForm says it.
template <Integers kIntegers, int kSubs, bool kOffsets>
struct Record {
  static constexpr std::int64_t kScaleBytes = kCompactScales * kSubs * (kOffsets ? 2 : 1);
  static constexpr std::int64_t kBytes = kScaleBytes + kCompactVector * stored_vectors(kIntegers);

  const std::uint8_t* at;
  // Of the half's first row.
  const std::uint8_t* scales(int half) const { return at + half * (kCompactScales / 2); }
  const std::uint8_t* integers(int half) const {
    return at + kScaleBytes + half * (kCompactVector / 2);
  }
};

// Unsigned integers of vector kVector of 8 rows.
template <Integers kIntegers, int kVector>
[[gnu::always_inline]] inline __m256i load_unsigned(const std::uint8_t* q) {
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256i w = load(q + kVector % 4 * kCompactVector);
  if constexpr (kVector >= 4) w = _mm256_srli_epi16(w, 4);
  w = _mm256_and_si256(w, nibble);
  if constexpr (kIntegers == Integers::five) {
    const __m256i high = load(q + 4 * kCompactVector);
    const __m256i moved =
        kVector < 4 ? _mm256_slli_epi16(high, 4 - kVector) : _mm256_srli_epi16(high, kVector - 4);
    w = _mm256_or_si256(w, _mm256_and_si256(moved, _mm256_set1_epi8(16)));
  }
  if constexpr (kIntegers == Integers::six) {
    const __m256i high = load(q + (4 + kVector / 4) * kCompactVector);
    constexpr int kUp = 4 - kVector % 4 * 2;
    const __m256i moved = kUp >= 0 ? _mm256_slli_epi16(high, kUp) : _mm256_srli_epi16(high, -kUp);
    w = _mm256_or_si256(w, _mm256_and_si256(moved, _mm256_set1_epi8(48)));
  }
  return w;
}

[[gnu::always_inline]] inline __m256i row_mask(int rows) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(rows), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

// Sums of a tile's rows and kM tokens, in registers across the blocks.
template <int kM>
struct Sums {
  __m256 at[2][kM];

  [[gnu::always_inline]] void begin(const CompactTask& task) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const __m256i mask = row_mask(task.rows - h * kHalf);
#pragma GCC unroll 4
      for (int t = 0; t < kM; ++t) {
        at[h][t] = task.first_block == 0
                       ? _mm256_setzero_ps()
                       : _mm256_maskload_ps(task.y + t * task.ldy + h * kHalf, mask);
      }
    }
  }
  [[gnu::always_inline]] void end(const CompactTask& task) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const __m256i mask = row_mask(task.rows - h * kHalf);
      const __m256 scale =
          task.last_block == task.blocks
              ? _mm256_loadu_ps(reinterpret_cast<const float*>(task.tile) + h * kHalf)
              : _mm256_set1_ps(1.0f);
#pragma GCC unroll 4
      for (int t = 0; t < kM; ++t) {
        _mm256_maskstore_ps(task.y + t * task.ldy + h * kHalf, mask,
                            _mm256_mul_ps(at[h][t], scale));
      }
    }
  }
};

// Pair sums of vectors [kVector, kVector + kLeft) join `pairs`, which is empty where kFresh. One
// broadcast of the activations serves both halves.
template <Integers kIntegers, int kVector, int kLeft, bool kFresh, int kM, typename R>
[[gnu::always_inline]] inline void add_pairs(R record, const PanelBlock& x, __m256i pairs[2][kM]) {
  if constexpr (kLeft > 0) {
    __m256i w[2];
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      w[h] = load_unsigned<kIntegers, kVector>(record.integers(h));
    }
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
    add_pairs<kIntegers, kVector + 1, kLeft - 1, false, kM>(record, x, pairs);
  }
}

// Exact sums of products over vectors [kVector, kVector + kLeft), in int32.
template <Integers kIntegers, int kVector, int kLeft, bool kFresh, int kM, typename R>
[[gnu::always_inline]] inline void add_dots(R record, const PanelBlock& x, __m256i dots[2][kM]) {
  constexpr int kFits = kIntegers == Integers::six ? 2 : (kIntegers == Integers::five ? 4 : 8);
  constexpr int kRun = kFits < kLeft ? kFits : kLeft;
  if constexpr (kLeft > 0) {
    __m256i pairs[2][kM];
    add_pairs<kIntegers, kVector, kRun, true, kM>(record, x, pairs);
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
#pragma GCC unroll 4
      for (int t = 0; t < kM; ++t) {
        const __m256i wide = widen(pairs[h][t]);
        dots[h][t] = kFresh ? wide : _mm256_add_epi32(dots[h][t], wide);
      }
    }
    add_dots<kIntegers, kVector + kRun, kLeft - kRun, false, kM>(record, x, dots);
  }
}

// Sub-block kSub of one block: dots, scales and offsets join the sums.
template <Integers kIntegers, int kSubs, int kSub, bool kOffsets, int kM, typename R>
[[gnu::always_inline]] inline void add_sub_block(R record, const PanelBlock& x,
                                                 __m256 sums[2][kM]) {
  constexpr int kVectors = 8 / kSubs;
  __m256i dots[2][kM];
  add_dots<kIntegers, kSub * kVectors, kVectors, true, kM>(record, x, dots);
  if constexpr (!kOffsets) {
#pragma GCC unroll 4
    for (int t = 0; t < kM; ++t) {
      const __m256i less =
          zero_part<zero_of(kIntegers, kSubs)>(x.minus8[PanelBlock::part(kSubs, kSub)][t]);
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) dots[h][t] = _mm256_add_epi32(dots[h][t], less);
    }
  }
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    const std::uint8_t* scales = record.scales(h);
    const __m256 d = load_halves(scales + kSub * kCompactScales);
#pragma GCC unroll 4
    for (int t = 0; t < kM; ++t) {
      const __m256 both = _mm256_mul_ps(d, _mm256_set1_ps(x.scale[t].d));
      sums[h][t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[h][t]), both, sums[h][t]);
    }
    if constexpr (kOffsets) {
      const __m256 m = load_halves(scales + (kSubs + kSub) * kCompactScales);
#pragma GCC unroll 4
      for (int t = 0; t < kM; ++t) {
        const auto& scale = x.scale[t];
        const float s = kSubs == 1 ? scale.s : (kSub == 0 ? scale.low_s : scale.high_s);
        sums[h][t] = _mm256_fmadd_ps(m, _mm256_set1_ps(s), sums[h][t]);
      }
    }
  }
}

// The hardware stops running ahead at each 4 KiB of memory, so the kernel does it: on through the
// tile and into the next.
constexpr std::int64_t kAheadBytes = 2 << 10;

template <typename R>
[[gnu::always_inline]] inline void fetch_ahead(R record) {
#pragma GCC unroll 9
  for (std::int64_t line = 0; line < R::kBytes; line += 64) {
    _mm_prefetch(record.at + kAheadBytes + line, _MM_HINT_T0);
  }
}

template <Integers kIntegers, int kSubs, bool kOffsets, int kM>
void unsigned_tile(const CompactTask& task) {
  using R = Record<kIntegers, kSubs, kOffsets>;
  Sums<kM> sums;
  sums.begin(task);
  R record{task.record()};
  for (auto b = task.first_block; b < task.last_block; ++b, record.at += R::kBytes) {
    if (task.cold) fetch_ahead(record);
    const PanelBlock& x = task.panels[b];
    add_sub_block<kIntegers, kSubs, 0, kOffsets, kM>(record, x, sums.at);
    if constexpr (kSubs == 2) {
      add_sub_block<kIntegers, kSubs, 1, kOffsets, kM>(record, x, sums.at);
    }
  }
  sums.end(task);
}

// One vector of signed weights and its magnitudes.
template <Integers kIntegers>
[[gnu::always_inline]] inline void load_signed(const std::uint8_t* q, int vector, __m256i& w,
                                               __m256i& magnitude) {
  if constexpr (kIntegers == Integers::bytes) {
    w = load(q + vector * kCompactVector);
  } else {
    const __m256i table = _mm256_broadcastsi128_si256(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(quant::kIq4Values)));
    __m256i nibbles = load(q + vector % 4 * kCompactVector);
    if (vector >= 4) nibbles = _mm256_srli_epi16(nibbles, 4);
    w = _mm256_shuffle_epi8(table, _mm256_and_si256(nibbles, _mm256_set1_epi8(15)));
  }
  magnitude = _mm256_abs_epi8(w);
}

// Signed weights: magnitudes times activations with the weights' signs. A pair is at most
// 2 * 128 * 127 = 32,512, so every pair sum is widened; a weight of -128 has magnitude 128 as an
// unsigned byte, and activations never are -128, which vpsignb could not negate.
template <Integers kIntegers, int kM>
void signed_tile(const CompactTask& task) {
  using R = Record<kIntegers, 1, false>;
  Sums<kM> sums;
  sums.begin(task);
  R record{task.record()};
  for (auto b = task.first_block; b < task.last_block; ++b, record.at += R::kBytes) {
    if (task.cold) fetch_ahead(record);
    const PanelBlock& x = task.panels[b];
    __m256i dots[2][kM] = {};
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      __m256i w[2], magnitude[2];
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
        load_signed<kIntegers>(record.integers(h), j, w[h], magnitude[h]);
      }
#pragma GCC unroll 4
      for (int t = 0; t < kM; ++t) {
        const __m256i four = broadcast4(x.q[t] + 4 * j);
#pragma GCC unroll 2
        for (int h = 0; h < 2; ++h) {
          const __m256i turned = _mm256_sign_epi8(four, w[h]);
          dots[h][t] =
              _mm256_add_epi32(dots[h][t], widen(_mm256_maddubs_epi16(magnitude[h], turned)));
          pin(dots[h][t]);
        }
      }
    }
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const __m256 d = load_halves(record.scales(h));
#pragma GCC unroll 4
      for (int t = 0; t < kM; ++t) {
        sums.at[h][t] =
            _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[h][t]),
                            _mm256_mul_ps(d, _mm256_set1_ps(x.scale[t].d)), sums.at[h][t]);
      }
    }
  }
  sums.end(task);
}

// All tokens over one tile, four at a time: its bytes stay in the first-level cache.
template <Integers kIntegers, int kSubs, bool kOffsets>
void tokens(CompactTask task) {
  const auto some = [&]<int kM>(std::integral_constant<int, kM>) {
    if constexpr (kIntegers == Integers::bytes || kIntegers == Integers::codes) {
      signed_tile<kIntegers, kM>(task);
    } else {
      unsigned_tile<kIntegers, kSubs, kOffsets, kM>(task);
    }
  };
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

void multiply(const CompactTask& task) {
  with_compact_form(*task.form, [&]<Integers kIntegers, int kSubs, bool kOffsets>() {
    tokens<kIntegers, kSubs, kOffsets>(task);
  });
}

[[gnu::always_inline]] inline float largest_of(__m256 v) {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

[[gnu::always_inline]] inline int sum_of(__m256i v) {
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

}  // namespace

void quantize_panel_avx2(const float* x, std::int64_t blocks, int lane, PanelBlock* panel) {
  const __m256 magnitude_bits = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  const __m256 infinity = _mm256_set1_ps(__builtin_inff());
  for (std::int64_t b = 0; b < blocks; ++b, x += kCompactBlock, ++panel) {
    __m256 v[4], top = _mm256_setzero_ps(), strange = _mm256_setzero_ps();
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      v[i] = _mm256_loadu_ps(x + 8 * i);
      const __m256 magnitude = _mm256_and_ps(v[i], magnitude_bits);
      top = _mm256_max_ps(top, magnitude);
      strange = _mm256_or_ps(strange, _mm256_cmp_ps(magnitude, infinity, _CMP_NLT_UQ));
    }
    const bool finite = _mm256_movemask_ps(strange) == 0;
    const float largest = largest_of(top);
    const bool live = finite && largest >= kQuantizeFloor;
    const __m256 inverse = _mm256_set1_ps(live ? 127.0f / largest : 0.0f);
    __m256i n[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      n[i] = live ? _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse)) : _mm256_setzero_si256();
    }
    // vpackssdw and vpacksswb work on 128-bit lanes; the last permutation restores the order.
    const __m256i packed = _mm256_permutevar8x32_epi32(
        _mm256_packs_epi16(_mm256_packs_epi32(n[0], n[1]), _mm256_packs_epi32(n[2], n[3])),
        _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(panel->q[lane]), packed);
    const int low = sum_of(_mm256_add_epi32(n[0], n[1]));
    const int high = sum_of(_mm256_add_epi32(n[2], n[3]));
    const float d = finite ? (live ? largest / 127.0f : 0.0f) : __builtin_nanf("");
    panel->minus8[0][lane] = -8 * (low + high);
    panel->minus8[1][lane] = -8 * low;
    panel->minus8[2][lane] = -8 * high;
    panel->scale[lane] = {d, d * static_cast<float>(low + high), d * static_cast<float>(low),
                          d * static_cast<float>(high)};
  }
}

const CompactKernels kCompactAvx2 = {multiply, quantize_panel_avx2};

}  // namespace plinth::tensor
