#include <immintrin.h>

#include <algorithm>
#include <type_traits>

#include "tensor/x86/compact_dispatch.h"
#include "tensor/x86/compact_kernels.h"
#include "tensor/x86/compact_vectors512.h"

namespace plinth::tensor {

namespace {

// Four panels: 16 fp32 sums, 8 vectors of weights and the 2 dots under way stay within the 32
// registers.
constexpr int kTokens = 4 * kPanelTokens;

// As in the AVX2 kernel: the hardware stops running ahead at each 4 KiB of memory.
constexpr std::int64_t kAheadBytes = 2 << 10;

// dot + weights * q[0..3], the four of every lane. The product's own memory operand broadcasts:
// a broadcast by itself takes one of the two ports that multiply (Zen 4), which GCC 12 does not
// avoid.
[[gnu::always_inline]] inline void add_dot(__m512i& dot, __m512i weights, const std::int8_t* q) {
  using Four = const std::int8_t(*)[4];
  __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(dot) : "v"(weights), "m"(*Four(q)));
}

[[gnu::always_inline]] inline __mmask16 row_mask(int rows) {
  return static_cast<__mmask16>((1u << rows) - 1);
}

template <Integers kIntegers, int kSubs, bool kOffsets, int kM>
void tile(const CompactTask& task) {
  using R = Record512<kIntegers, kSubs, kOffsets>;
  constexpr int kVectors = 8 / kSubs;
  const __mmask16 mask = row_mask(task.rows);
  __m512 sums[kM];
#pragma GCC unroll 16
  for (int t = 0; t < kM; ++t) {
    sums[t] = task.first_block == 0 ? _mm512_setzero_ps()
                                    : _mm512_maskz_loadu_ps(mask, task.y + t * task.ldy);
  }
  R record{task.record()};
  for (auto b = task.first_block; b < task.last_block; ++b, record.at += R::kBytes) {
    if (task.cold) {
#pragma GCC unroll 9
      for (std::int64_t line = 0; line < R::kBytes; line += 64) {
        _mm_prefetch(record.at + kAheadBytes + line, _MM_HINT_T0);
      }
    }
    __m512i w[8];
    record.integers(w);
#pragma GCC unroll 2
    for (int sub = 0; sub < kSubs; ++sub) {
      const __m512 d = record.scale(sub);
      __m512 m = d;
      if constexpr (kOffsets) m = record.offset(sub);
#pragma GCC unroll 16
      for (int t = 0; t < kM; ++t) {
        const PanelBlock& x = task.panels[t / kPanelTokens * task.blocks + b];
        const int lane = t % kPanelTokens;
        const std::int8_t* q = x.q[lane] + sub * kVectors * 4;
        __m512i even = _mm512_setzero_si512();
        if constexpr (!kOffsets) {
          even = zero_part<unsigned_zero(kIntegers, kSubs)>(
              x.minus8[PanelBlock::part(kSubs, sub)][lane]);
        }
        __m512i odd = _mm512_setzero_si512();
#pragma GCC unroll 4
        for (int j = 0; j < kVectors; j += 2) {
          add_dot(even, w[sub * kVectors + j], q + 4 * j);
          add_dot(odd, w[sub * kVectors + j + 1], q + 4 * j + 4);
        }
        const auto& scale = x.scale[lane];
        const __m512 both = _mm512_mul_ps(d, _mm512_set1_ps(scale.d));
        sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_add_epi32(even, odd)), both, sums[t]);
        if constexpr (kOffsets) {
          const float s = kSubs == 1 ? scale.s : (sub == 0 ? scale.low_s : scale.high_s);
          sums[t] = _mm512_fmadd_ps(m, _mm512_set1_ps(s), sums[t]);
        }
      }
    }
  }
  const __m512 scale =
      task.last_block == task.blocks ? _mm512_loadu_ps(task.tile) : _mm512_set1_ps(1.0f);
#pragma GCC unroll 16
  for (int t = 0; t < kM; ++t) {
    _mm512_mask_storeu_ps(task.y + t * task.ldy, mask, _mm512_mul_ps(sums[t], scale));
  }
}

template <Integers kIntegers, int kSubs, bool kOffsets>
void tokens(CompactTask task) {
  const auto some = [&]<int kM>(std::integral_constant<int, kM>) {
    tile<kIntegers, kSubs, kOffsets, kM>(task);
    task.cold = false;
    task.m -= kM;
    task.panels += kM / kPanelTokens * task.blocks;
    task.y += kM * task.ldy;
  };
  while (task.m >= kTokens) some(std::integral_constant<int, kTokens>());
  while (task.m >= 2 * kPanelTokens) some(std::integral_constant<int, 2 * kPanelTokens>());
  if (task.m >= kPanelTokens) some(std::integral_constant<int, kPanelTokens>());
  if (task.m == 3) some(std::integral_constant<int, 3>());
  if (task.m == 2) some(std::integral_constant<int, 2>());
  if (task.m == 1) some(std::integral_constant<int, 1>());
}

void multiply(const CompactTask& task) {
  with_compact_form(*task.form, [&]<Integers kIntegers, int kSubs, bool kOffsets>() {
    tokens<kIntegers, kSubs, kOffsets>(task);
  });
}

}  // namespace

const CompactKernels kCompactAvx512 = {multiply, quantize_panel_avx2};

}  // namespace plinth::tensor
