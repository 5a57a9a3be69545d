// fp32 weights, packed in groups of 16 rows: per group columns x 16 fp32.
#pragma once

#include <cstdint>

namespace plinth::tensor {

inline constexpr int kFloatRows = 16;

// y[t * ldy + r] for 16 rows r of one group and m tokens t; sums run over the columns in order.
using FloatKernel = void (*)(const float* group, const float* x, std::int64_t ldx,
                             std::int64_t columns, int m, float* y, std::int64_t ldy);

extern const FloatKernel kFloatsScalar;
extern const FloatKernel kFloatsAvx2;
extern const FloatKernel kFloatsAvx512;

}  // namespace plinth::tensor
