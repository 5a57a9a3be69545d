#include <immintrin.h>

#include "tensor/x86/float_kernels.h"

namespace plinth::tensor {

namespace {

template <int kM>
void float_tile(const float* group, const float* x, std::int64_t ldx, std::int64_t columns,
                float* y, std::int64_t ldy) {
  __m256 sum[kM][2];
  for (auto& row : sum) row[0] = row[1] = _mm256_setzero_ps();
  for (std::int64_t c = 0; c < columns; ++c) {
    const __m256 low = _mm256_loadu_ps(group + c * kFloatRows);
    const __m256 high = _mm256_loadu_ps(group + c * kFloatRows + 8);
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

const FloatKernel kFloatsAvx2 = floats;

}  // namespace plinth::tensor
