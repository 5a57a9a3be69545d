#include "tensor/quantize.h"

#include <bit>
#include <cstring>

#include "base/check.h"
#include "tensor/quant/blocks.h"
#include "tensor/quant/encode.h"

namespace plinth::tensor {

namespace {

// To nearest even; NaN stays NaN.
std::uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (value != value) return static_cast<std::uint16_t>(bits >> 16 | 64);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace

void quantize_row(DType dtype, const float* x, std::uint8_t* out, std::int64_t columns) {
  const auto& info = dtype_info(dtype);
  CHECK(columns % info.block_elements == 0);
  switch (dtype) {
    case DType::f32:
      std::memcpy(out, x, static_cast<std::size_t>(columns) * 4);
      return;
    case DType::f16:
    case DType::bf16:
      for (std::int64_t i = 0; i < columns; ++i) {
        const auto bits = dtype == DType::f16 ? quant::f32_to_f16(x[i]) : f32_to_bf16(x[i]);
        std::memcpy(out + 2 * i, &bits, sizeof bits);
      }
      return;
    default:
      for (std::int64_t i = 0; i < columns; i += info.block_elements, out += info.block_bytes) {
        quant::encode_block(dtype, x + i, out);
      }
  }
}

std::vector<std::uint8_t> quantize_matrix(DType dtype, const MatrixView& matrix) {
  const auto from = row_bytes(matrix.dtype, matrix.columns);
  const auto to = row_bytes(dtype, matrix.columns);
  std::vector<std::uint8_t> out(static_cast<std::size_t>(matrix.rows) * to);
  std::vector<float> row(static_cast<std::size_t>(matrix.columns));
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    const auto at = static_cast<std::size_t>(r);
    dequantize_row(matrix.dtype, matrix.data + at * from, row.data(), matrix.columns);
    quantize_row(dtype, row.data(), out.data() + at * to, matrix.columns);
  }
  return out;
}

}  // namespace plinth::tensor
