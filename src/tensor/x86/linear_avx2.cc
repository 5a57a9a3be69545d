#include <immintrin.h>

#include <algorithm>

#include "tensor/x86/linear_kernels.h"

namespace plinth::tensor {

namespace {

// Two tokens and 16 rows: 4 float accumulators and 4 integer ones leave 8 of the 16 registers for
// weights, the broadcast activations and the scales.
constexpr int kTokens = 2;

// u8 weights times s8 activations, four columns a lane, without the saturation of vpmaddubsw: a sum
// of two products reaches 255 * 127 * 2, so even and odd bytes are multiplied apart in 16 bits.
inline __m256i dot4(__m256i sum, __m256i w, __m256i even_x, __m256i odd_x) {
  const __m256i even = _mm256_and_si256(w, _mm256_set1_epi16(0xff));
  const __m256i odd = _mm256_srli_epi16(w, 8);
  sum = _mm256_add_epi32(sum, _mm256_madd_epi16(even, even_x));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(odd, odd_x));
}

// Four nibbles a lane: a pair sum is at most 15 * 127 * 2 = 3,810, so vpmaddubsw is exact.
inline __m256i dot4_nibbles(__m256i sum, __m256i w, __m256i x) {
  const __m256i pairs = _mm256_maddubs_epi16(w, x);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

inline __m256i broadcast4(const std::int8_t* q) {
  int bytes = 0;
  __builtin_memcpy(&bytes, q, 4);
  return _mm256_set1_epi32(bytes);
}

template <int kBits>
inline void block_dot(const std::uint8_t* q, const std::int8_t* x, __m256i dot[2]) {
  if constexpr (kBits == 8) {
    for (int j = 0; j < 8; ++j) {
      const __m256i bytes = broadcast4(x + 4 * j);
      const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8);
      const __m256i odd = _mm256_srai_epi16(bytes, 8);
      for (int h = 0; h < 2; ++h) {
        const auto w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q + j * 64 + h * 32));
        dot[h] = dot4(dot[h], w, even, odd);
      }
    }
  } else {
    const __m256i mask = _mm256_set1_epi8(15);
    for (int j = 0; j < 4; ++j) {
      const __m256i low_x = broadcast4(x + 4 * j), high_x = broadcast4(x + 16 + 4 * j);
      for (int h = 0; h < 2; ++h) {
        const auto w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q + j * 64 + h * 32));
        dot[h] = dot4_nibbles(dot[h], _mm256_and_si256(w, mask), low_x);
        dot[h] = dot4_nibbles(dot[h], _mm256_and_si256(_mm256_srli_epi16(w, 4), mask), high_x);
      }
    }
  }
}

template <int kBits, int kM>
void quant_tile(const std::uint8_t* group, const QuantizedRows& x, float* y, std::int64_t ldy) {
  const std::int64_t blocks = x.columns / kBlock;
  __m256 sum[kM][2];
  for (auto& row : sum) row[0] = row[1] = _mm256_setzero_ps();
  for (std::int64_t b = 0; b < blocks; ++b) {
    const std::uint8_t* block = group + b * block_bytes(kBits);
    const auto* scale = reinterpret_cast<const float*>(block);
    for (int t = 0; t < kM; ++t) {
      __m256i dot[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
      block_dot<kBits>(block + 128, x.q + t * x.columns + b * kBlock, dot);
      const __m256 d = _mm256_set1_ps(x.d[t * blocks + b]);
      const __m256 s = _mm256_set1_ps(x.s[t * blocks + b]);
      for (int h = 0; h < 2; ++h) {
        const __m256 product = _mm256_mul_ps(_mm256_loadu_ps(scale + h * 8), d);
        sum[t][h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[h]), product, sum[t][h]);
        sum[t][h] = _mm256_fmadd_ps(_mm256_loadu_ps(scale + 16 + h * 8), s, sum[t][h]);
      }
    }
  }
  for (int t = 0; t < kM; ++t) {
    _mm256_storeu_ps(y + t * ldy, sum[t][0]);
    _mm256_storeu_ps(y + t * ldy + 8, sum[t][1]);
  }
}

template <int kBits>
void quant_bits(const std::uint8_t* group, QuantizedRows x, int m, float* y, std::int64_t ldy) {
  const std::int64_t blocks = x.columns / kBlock;
  int t = 0;
  for (; t + kTokens <= m; t += kTokens) {
    quant_tile<kBits, kTokens>(group, x, y, ldy);
    x.q += kTokens * x.columns;
    x.d += kTokens * blocks;
    x.s += kTokens * blocks;
    y += kTokens * ldy;
  }
  if (t < m) quant_tile<kBits, 1>(group, x, y, ldy);
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
  __m256 sum[kM][2];
  for (auto& row : sum) row[0] = row[1] = _mm256_setzero_ps();
  for (std::int64_t c = 0; c < columns; ++c) {
    const __m256 low = _mm256_loadu_ps(group + c * kGroupRows);
    const __m256 high = _mm256_loadu_ps(group + c * kGroupRows + 8);
    for (int t = 0; t < kM; ++t) {
      const __m256 value = _mm256_set1_ps(x[t * ldx + c]);
      sum[t][0] = _mm256_fmadd_ps(low, value, sum[t][0]);
      sum[t][1] = _mm256_fmadd_ps(high, value, sum[t][1]);
    }
  }
  for (int t = 0; t < kM; ++t) {
    _mm256_storeu_ps(y + t * ldy, sum[t][0]);
    _mm256_storeu_ps(y + t * ldy + 8, sum[t][1]);
  }
}

void floats(const float* group, const float* x, std::int64_t ldx, std::int64_t columns, int m,
            float* y, std::int64_t ldy) {
  int t = 0;
  for (; t + 4 <= m; t += 4) float_tile<4>(group, x + t * ldx, ldx, columns, y + t * ldy, ldy);
  for (; t < m; ++t) float_tile<1>(group, x + t * ldx, ldx, columns, y + t * ldy, ldy);
}

}  // namespace

const LinearKernels kAvx2Kernels = {quant, floats, kScalarKernels.quantize};

}  // namespace plinth::tensor
