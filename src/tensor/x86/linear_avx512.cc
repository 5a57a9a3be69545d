#include <immintrin.h>

#include <algorithm>

#include "tensor/x86/float_kernels.h"
#include "tensor/x86/wide_kernels.h"

namespace plinth::tensor {

namespace {

// Eight tokens: 8 float and 8 integer accumulators leave 16 of the 32 registers for a block's
// weights (8 vectors), scales and temporaries; activations are broadcast memory operands.
constexpr int kTokens = 8;

inline __m512i broadcast4(const std::int8_t* q) {
  int bytes = 0;
  __builtin_memcpy(&bytes, q, 4);
  return _mm512_set1_epi32(bytes);
}

template <int kBits>
inline void load_block(const std::uint8_t* q, __m512i w[8]) {
  if constexpr (kBits == 8) {
    for (int j = 0; j < 8; ++j) w[j] = _mm512_loadu_si512(q + j * 64);
  } else {
    const __m512i mask = _mm512_set1_epi8(15);
    for (int j = 0; j < 4; ++j) {
      const __m512i both = _mm512_loadu_si512(q + j * 64);
      w[j] = _mm512_and_si512(both, mask);
      w[j + 4] = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
    }
  }
}

template <int kBits, int kM>
void quant_tile(const std::uint8_t* group, const QuantizedRows& x, float* y, std::int64_t ldy) {
  const std::int64_t blocks = x.columns / kBlock;
  __m512 sum[kM];
  for (auto& s : sum) s = _mm512_setzero_ps();
  for (std::int64_t b = 0; b < blocks; ++b) {
    const std::uint8_t* block = group + b * block_bytes(kBits);
    const __m512 wd = _mm512_loadu_ps(block);
    const __m512 wm = _mm512_loadu_ps(block + 64);
    __m512i w[8];
    load_block<kBits>(block + 128, w);
    const std::int8_t* q = x.q + b * kBlock;
#pragma GCC unroll 8
    for (int t = 0; t < kM; ++t) {
      const std::int8_t* row = q + t * x.columns;
      __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
#pragma GCC unroll 4
      for (int j = 0; j < 8; j += 2) {
        even = _mm512_dpbusd_epi32(even, w[j], broadcast4(row + 4 * j));
        odd = _mm512_dpbusd_epi32(odd, w[j + 1], broadcast4(row + 4 * j + 4));
      }
      const __m512 dot = _mm512_cvtepi32_ps(_mm512_add_epi32(even, odd));
      const __m512 product = _mm512_mul_ps(wd, _mm512_set1_ps(x.d[t * blocks + b]));
      sum[t] = _mm512_fmadd_ps(dot, product, sum[t]);
      sum[t] = _mm512_fmadd_ps(wm, _mm512_set1_ps(x.s[t * blocks + b]), sum[t]);
    }
  }
  for (int t = 0; t < kM; ++t) _mm512_storeu_ps(y + t * ldy, sum[t]);
}

template <int kBits>
void quant_bits(const std::uint8_t* group, QuantizedRows x, int m, float* y, std::int64_t ldy) {
  const std::int64_t blocks = x.columns / kBlock;
  const auto advance = [&](int tokens) {
    x.q += tokens * x.columns;
    x.d += tokens * blocks;
    x.s += tokens * blocks;
    y += tokens * ldy;
    m -= tokens;
  };
  while (m >= kTokens) {
    quant_tile<kBits, kTokens>(group, x, y, ldy);
    advance(kTokens);
  }
  while (m >= 2) {
    quant_tile<kBits, 2>(group, x, y, ldy);
    advance(2);
  }
  if (m == 1) quant_tile<kBits, 1>(group, x, y, ldy);
}

void quant(const std::uint8_t* group, int bits, const QuantizedRows& x, int m, float* y,
           std::int64_t ldy) {
  if (bits == 4)
    quant_bits<4>(group, x, m, y, ldy);
  else
    quant_bits<8>(group, x, m, y, ldy);
}

template <int kM>
void float_tile(const float* group, const float* x, std::int64_t ldx, std::int64_t columns,
                float* y, std::int64_t ldy) {
  __m512 sum[kM];
  for (auto& s : sum) s = _mm512_setzero_ps();
  for (std::int64_t c = 0; c < columns; ++c) {
    const __m512 w = _mm512_loadu_ps(group + c * kGroupRows);
#pragma GCC unroll 8
    for (int t = 0; t < kM; ++t) {
      sum[t] = _mm512_fmadd_ps(w, _mm512_set1_ps(x[t * ldx + c]), sum[t]);
    }
  }
  for (int t = 0; t < kM; ++t) _mm512_storeu_ps(y + t * ldy, sum[t]);
}

void floats(const float* group, const float* x, std::int64_t ldx, std::int64_t columns, int m,
            float* y, std::int64_t ldy) {
  int t = 0;
  for (; t + 8 <= m; t += 8) float_tile<8>(group, x + t * ldx, ldx, columns, y + t * ldy, ldy);
  for (; t < m; ++t) float_tile<1>(group, x + t * ldx, ldx, columns, y + t * ldy, ldy);
}

void quantize(const float* x, std::int64_t columns, std::int8_t* q, float* d, float* s) {
  const __m512 sign = _mm512_set1_ps(-0.0f);
  for (std::int64_t b = 0; b < columns / kBlock; ++b, x += kBlock, q += kBlock) {
    const __m512 low = _mm512_loadu_ps(x), high = _mm512_loadu_ps(x + 16);
    const float largest = _mm512_reduce_max_ps(
        _mm512_max_ps(_mm512_andnot_ps(sign, low), _mm512_andnot_ps(sign, high)));
    const float scale = largest / 127.0f;
    const __m512 inverse = _mm512_set1_ps(largest > 0 ? 127.0f / largest : 0.0f);
    const __m512i a = _mm512_cvtps_epi32(_mm512_mul_ps(low, inverse));
    const __m512i c = _mm512_cvtps_epi32(_mm512_mul_ps(high, inverse));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(q), _mm512_cvtsepi32_epi8(a));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(q + 16), _mm512_cvtsepi32_epi8(c));
    d[b] = scale;
    s[b] = scale * static_cast<float>(_mm512_reduce_add_epi32(_mm512_add_epi32(a, c)));
  }
}

}  // namespace

const WideKernels kWideAvx512 = {quant, quantize};
const FloatKernel kFloatsAvx512 = floats;

}  // namespace plinth::tensor
