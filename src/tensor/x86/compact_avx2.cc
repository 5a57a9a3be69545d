#include <immintrin.h>

#include <cstdint>
#include <type_traits>

#include "tensor/x86/compact_dispatch.h"
#include "tensor/x86/compact_kernels.h"
#include "tensor/x86/compact_unpacked256.h"
#include "tensor/x86/compact_vectors256.h"

namespace plinth::tensor {

namespace {

template <Integers kIntegers, int kSubs, bool kOffsets, int kM>
void unsigned_tile(const CompactTask& task) {
  using R = Record<kIntegers, kSubs, kOffsets>;
  Sums<kM> sums;
  sums.begin(task);
  R record{task.record()};
  for (auto b = task.first_block; b < task.last_block; ++b, record.at += R::kBytes) {
    if (task.cold) fetch_ahead(record);
    add_block<kIntegers, kSubs, kOffsets, kM>(record, task.panels[b], sums.at);
  }
  sums.end(task);
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
        w[h] = load_signed<kIntegers>(record.integers(h), j);
        magnitude[h] = _mm256_abs_epi8(w[h]);
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
    add_scaled<kM>(record, 0, x, dots, sums.at);
  }
  sums.end(task);
}

// All tokens over one tile, whose bytes stay in the first-level cache.
template <Integers kIntegers, int kSubs, bool kOffsets>
void tokens(CompactTask task) {
  if constexpr (kIntegers == Integers::bytes || kIntegers == Integers::codes) {
    for_each_panel(
        task, [&]<int kM>(std::integral_constant<int, kM>) { signed_tile<kIntegers, kM>(task); });
  } else if (task.m >= unpacked_from(kIntegers)) {
    many_tokens<kIntegers, kSubs, kOffsets>(task);
  } else {
    for_each_panel(task, [&]<int kM>(std::integral_constant<int, kM>) {
      unsigned_tile<kIntegers, kSubs, kOffsets, kM>(task);
    });
  }
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
