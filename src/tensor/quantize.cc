#include "tensor/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "tensor/quant/blocks.h"

namespace plinth::tensor {

namespace {

constexpr int kElements = 32;
constexpr float kIntegerMax = 127.0f;

void quantize_block(const float* x, std::uint8_t* block) {
  float largest = 0;
  for (int i = 0; i < kElements; ++i) largest = std::max(largest, std::fabs(x[i]));
  const std::uint16_t scale = quant::f32_to_f16(largest / kIntegerMax);
  std::memcpy(block, &scale, sizeof scale);
  const float d = quant::f16_to_f32(scale);
  // Below fp16's range the scale is 0 and so is the block.
  const float inverse = d > 0 ? 1.0f / d : 0.0f;
  for (int i = 0; i < kElements; ++i) {
    const float q = std::clamp(std::nearbyint(x[i] * inverse), -kIntegerMax, kIntegerMax);
    const auto integer = static_cast<std::int8_t>(q);
    std::memcpy(block + 2 + i, &integer, 1);
  }
}

}  // namespace

std::vector<std::uint8_t> quantize_q8_0(const MatrixView& matrix) {
  CHECK(matrix.columns % kElements == 0);
  const auto block_bytes = static_cast<std::size_t>(dtype_info(DType::q8_0).block_bytes);
  const auto from = row_bytes(matrix.dtype, matrix.columns);
  std::vector<std::uint8_t> out(static_cast<std::size_t>(matrix.rows) *
                                row_bytes(DType::q8_0, matrix.columns));
  std::vector<float> row(static_cast<std::size_t>(matrix.columns));
  std::uint8_t* to = out.data();
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    dequantize_row(matrix.dtype, matrix.data + static_cast<std::size_t>(r) * from, row.data(),
                   matrix.columns);
    for (std::int64_t c = 0; c < matrix.columns; c += kElements, to += block_bytes) {
      quantize_block(row.data() + c, to);
    }
  }
  return out;
}

}  // namespace plinth::tensor
