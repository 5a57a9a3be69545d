#include <immintrin.h>

#include "tensor/x86/float_kernels.h"
#include "tensor/x86/float_tokens512.h"

namespace plinth::tensor {

namespace {

// `x`: a pair of columns of one token. The product's own memory operand broadcasts: a broadcast by
// itself takes one of the two ports that multiply (Zen 4), which GCC 12 does not avoid.
[[gnu::always_inline]] inline __m512 add_pairs(__m512 sum, __m512i w, const std::uint16_t* x) {
  using Pair = const std::uint16_t(*)[2];
  __asm__("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(w), "m"(*Pair(x)));
  return sum;
}

// Two sums for each token: one alone would wait for the instruction's latency.
template <int kM>
void bfloat_tile(const BfloatTask& task) {
  __m512 even[kM], odd[kM];
#pragma GCC unroll 8
  for (int t = 0; t < kM; ++t) even[t] = odd[t] = _mm512_setzero_ps();
  const std::uint8_t* w = task.group;
  for (std::int64_t c = 0; c < task.columns; c += 4, w += 128) {
    const __m512i first = _mm512_loadu_si512(w), second = _mm512_loadu_si512(w + 64);
#pragma GCC unroll 8
    for (int t = 0; t < kM; ++t) {
      const std::uint16_t* x = task.x + t * task.columns + c;
      even[t] = add_pairs(even[t], first, x);
      odd[t] = add_pairs(odd[t], second, x + 2);
    }
  }
#pragma GCC unroll 8
  for (int t = 0; t < kM; ++t) {
    _mm512_storeu_ps(task.y + t * task.ldy, _mm512_add_ps(even[t], odd[t]));
  }
}

}  // namespace

void multiply_bfloat_avx512(const BfloatTask& task) {
  all_tokens(task, []<int kM>(const BfloatTask& part, std::integral_constant<int, kM>) {
    bfloat_tile<kM>(part);
  });
}

void round_to_bfloat_avx512(const float* x, std::int64_t columns, std::uint16_t* out) {
  for (std::int64_t c = 0; c < columns; c += 16) {
    const auto left = columns - c;
    const auto mask = static_cast<__mmask16>(left >= 16 ? 0xffffu : (1u << left) - 1);
    const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, x + c));
    _mm256_mask_storeu_epi16(out + c, mask, reinterpret_cast<__m256i>(rounded));
  }
}

}  // namespace plinth::tensor
