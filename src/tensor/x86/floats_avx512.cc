#include <immintrin.h>

#include "tensor/x86/float_kernels.h"
#include "tensor/x86/float_tokens512.h"

namespace plinth::tensor {

namespace {

// Weights of 16 rows of column c.
template <FloatStore kStore>
[[gnu::always_inline]] inline __m512 load(const std::uint8_t* group, std::int64_t c) {
  if constexpr (kStore == FloatStore::f32) return _mm512_loadu_ps(group + c * kFloatRows * 4);
  if constexpr (kStore == FloatStore::f16) {
    return _mm512_cvtph_ps(
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(group + c * kFloatRows * 2)));
  }
  // A BF16 is the upper half of an fp32.
  const __m512i pairs = _mm512_loadu_si512(group + c / 2 * kFloatRows * 4);
  return _mm512_castsi512_ps(
      c % 2 == 0 ? _mm512_slli_epi32(pairs, 16)
                 : _mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
}

template <FloatStore kStore, int kM>
void tile(const FloatTask& task) {
  __m512 sum[kM];
  for (auto& s : sum) s = _mm512_setzero_ps();
  for (std::int64_t c = 0; c < task.columns; ++c) {
    const __m512 w = load<kStore>(task.group, c);
#pragma GCC unroll 8
    for (int t = 0; t < kM; ++t) {
      sum[t] = _mm512_fmadd_ps(w, _mm512_set1_ps(task.x[t * task.columns + c]), sum[t]);
    }
  }
  for (int t = 0; t < kM; ++t) _mm512_storeu_ps(task.y + t * task.ldy, sum[t]);
}

template <FloatStore kStore>
void multiply(const FloatTask& task) {
  all_tokens(task, []<int kM>(const FloatTask& part, std::integral_constant<int, kM>) {
    tile<kStore, kM>(part);
  });
}

}  // namespace

const FloatKernels kFloatsAvx512 = {multiply<FloatStore::f32>, multiply<FloatStore::f16>,
                                    multiply<FloatStore::bf16>};

}  // namespace plinth::tensor
