#include <immintrin.h>

#include "tensor/x86/ceiling_chain.h"
#include "tensor/x86/ceiling_kernels.h"

namespace plinth::tensor {

namespace {

constexpr int kChains = 12;

std::int64_t first_lane(__m512i v) {
  alignas(64) std::int64_t lanes[8];
  _mm512_store_si512(lanes, v);
  return lanes[0];
}

}  // namespace

double fma_avx512(std::int64_t rounds, std::int64_t* sink) {
  __m512 sum[kChains], a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
  for (auto& s : sum) {
    s = a;
    hide(s);
  }
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) sum[c] = _mm512_fmadd_ps(sum[c], a, b);
    hide(a);
  }
  for (auto& s : sum) *sink += first_lane(_mm512_castps_si512(s));
  return static_cast<double>(rounds) * kChains * 32;
}

double int8_vnni_avx512(std::int64_t rounds, std::int64_t* sink) {
  __m512i sum[kChains] = {}, w = _mm512_set1_epi8(3), x = _mm512_set1_epi8(5);
  for (auto& s : sum) hide(s);
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) sum[c] = _mm512_dpbusd_epi32(sum[c], w, x);
    hide(x);
  }
  for (auto& s : sum) *sink += first_lane(s);
  return static_cast<double>(rounds) * kChains * 128;
}

}  // namespace plinth::tensor
