#include <immintrin.h>

#include "tensor/x86/ceiling_chain.h"
#include "tensor/x86/ceiling_kernels.h"

namespace plinth::tensor {

namespace {

constexpr int kChains = 12;

}  // namespace

double bf16_avx512(std::int64_t rounds, std::int64_t* sink) {
  __m512 sum[kChains];
  __m512i w = _mm512_set1_epi16(0x3f80), x = w;  // ones
#pragma GCC unroll 12
  for (auto& s : sum) {
    s = _mm512_setzero_ps();
    hide(s);
  }
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (auto& s : sum) {
      s = _mm512_dpbf16_ps(s, reinterpret_cast<__m512bh>(w), reinterpret_cast<__m512bh>(x));
    }
    hide(x);
  }
  float in_all = 0;
#pragma GCC unroll 12
  for (auto& s : sum) in_all += _mm512_cvtss_f32(s);
  *sink += static_cast<std::int64_t>(in_all);
  return static_cast<double>(rounds) * kChains * 64;
}

}  // namespace plinth::tensor
