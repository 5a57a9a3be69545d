#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/quant/blocks.h"
#include "tensor/x86/float_kernels.h"

namespace plinth::tensor {

namespace {

template <FloatStore kStore>
float weight(const std::uint8_t* group, std::int64_t column, int row) {
  if constexpr (kStore == FloatStore::f32) {
    float value = 0;
    std::memcpy(&value, group + (column * kFloatRows + row) * 4, 4);
    return value;
  }
  const auto place = kStore == FloatStore::f16 ? column * kFloatRows + row
                                               : (column / 2 * kFloatRows + row) * 2 + column % 2;
  std::uint16_t bits = 0;
  std::memcpy(&bits, group + place * 2, 2);
  return kStore == FloatStore::f16 ? quant::f16_to_f32(bits) : quant::bf16_to_f32(bits);
}

template <FloatStore kStore>
void multiply(const FloatTask& task) {
  for (int t = 0; t < task.m; ++t) {
    float sum[kFloatRows] = {};
    for (std::int64_t c = 0; c < task.columns; ++c) {
      for (int r = 0; r < kFloatRows; ++r) {
        sum[r] = std::fma(weight<kStore>(task.group, c, r), task.x[t * task.columns + c], sum[r]);
      }
    }
    std::copy_n(sum, kFloatRows, task.y + t * task.ldy);
  }
}

}  // namespace

const FloatKernels kFloatsScalar = {multiply<FloatStore::f32>, multiply<FloatStore::f16>,
                                    multiply<FloatStore::bf16>};

}  // namespace plinth::tensor
