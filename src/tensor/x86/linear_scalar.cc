#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/x86/linear_kernels.h"

namespace plinth::tensor {

namespace {

int weight(const std::uint8_t* q, int bits, int row, int column) {
  if (bits == 8) return q[column / 4 * 64 + row * 4 + column % 4];
  const int byte = q[column % 16 / 4 * 64 + row * 4 + column % 4];
  return column < 16 ? byte & 15 : byte >> 4;
}

void quant(const std::uint8_t* group, int bits, const QuantizedRows& x, int m, float* y,
           std::int64_t ldy) {
  const std::int64_t blocks = x.columns / kBlock;
  for (int t = 0; t < m; ++t) {
    float sum[kGroupRows] = {};
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::uint8_t* block = group + b * block_bytes(bits);
      float scale[2 * kGroupRows];
      std::memcpy(scale, block, sizeof scale);
      const std::int8_t* q = x.q + t * x.columns + b * kBlock;
      const float d = x.d[t * blocks + b], s = x.s[t * blocks + b];
      for (int r = 0; r < kGroupRows; ++r) {
        int dot = 0;
        for (int c = 0; c < kBlock; ++c) dot += weight(block + 128, bits, r, c) * q[c];
        sum[r] = std::fma(static_cast<float>(dot), scale[r] * d, sum[r]);
        sum[r] = std::fma(scale[kGroupRows + r], s, sum[r]);
      }
    }
    std::copy_n(sum, kGroupRows, y + t * ldy);
  }
}

void floats(const float* group, const float* x, std::int64_t ldx, std::int64_t columns, int m,
            float* y, std::int64_t ldy) {
  for (int t = 0; t < m; ++t) {
    float sum[kGroupRows] = {};
    for (std::int64_t c = 0; c < columns; ++c) {
      for (int r = 0; r < kGroupRows; ++r) {
        sum[r] = std::fma(group[c * kGroupRows + r], x[t * ldx + c], sum[r]);
      }
    }
    std::copy_n(sum, kGroupRows, y + t * ldy);
  }
}

void quantize(const float* x, std::int64_t columns, std::int8_t* q, float* d, float* s) {
  for (std::int64_t b = 0; b < columns / kBlock; ++b, x += kBlock, q += kBlock) {
    float largest = 0;
    for (int i = 0; i < kBlock; ++i) largest = std::max(largest, std::fabs(x[i]));
    // An infinite or NaN activation makes the block NaN, as the exact product would be.
    const float scale = largest / 127.0f;
    const float inverse = largest > 0 ? 127.0f / largest : 0.0f;
    int sum = 0;
    for (int i = 0; i < kBlock; ++i) {
      const float value = std::nearbyint(x[i] * inverse);
      q[i] = static_cast<std::int8_t>(value >= -127.0f && value <= 127.0f ? value : 0.0f);
      sum += q[i];
    }
    d[b] = scale;
    s[b] = scale * static_cast<float>(sum);
  }
}

}  // namespace

const LinearKernels kScalarKernels = {quant, floats, quantize};

}  // namespace plinth::tensor
