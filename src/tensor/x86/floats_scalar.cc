#include <algorithm>
#include <cmath>

#include "tensor/x86/float_kernels.h"

namespace plinth::tensor {

namespace {

void floats(const float* group, const float* x, std::int64_t ldx, std::int64_t columns, int m,
            float* y, std::int64_t ldy) {
  for (int t = 0; t < m; ++t) {
    float sum[kFloatRows] = {};
    for (std::int64_t c = 0; c < columns; ++c) {
      for (int r = 0; r < kFloatRows; ++r) {
        sum[r] = std::fma(group[c * kFloatRows + r], x[t * ldx + c], sum[r]);
      }
    }
    std::copy_n(sum, kFloatRows, y + t * ldy);
  }
}

}  // namespace

const FloatKernel kFloatsScalar = floats;

}  // namespace plinth::tensor
