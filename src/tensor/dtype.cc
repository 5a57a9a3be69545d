#include "tensor/dtype.h"

#include <array>

#include "base/check.h"
#include "tensor/quant/blocks.h"

namespace plinth::tensor {

namespace {

constexpr std::array<DTypeInfo, 15> kInfo = {{
    {"f32", 1, 4},
    {"f16", 1, 2},
    {"bf16", 1, 2},
    {"q8_0", 32, 34},
    {"q4_0", 32, 18},
    {"q4_1", 32, 20},
    {"q5_0", 32, 22},
    {"q5_1", 32, 24},
    {"q2_k", 256, 84},
    {"q3_k", 256, 110},
    {"q4_k", 256, 144},
    {"q5_k", 256, 176},
    {"q6_k", 256, 210},
    {"iq4_nl", 32, 18},
    {"iq4_xs", 256, 136},
}};

}  // namespace

const DTypeInfo& dtype_info(DType dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  CHECK(index < kInfo.size());
  return kInfo[index];
}

std::optional<DType> dtype_named(std::string_view name) {
  for (std::size_t i = 0; i < kInfo.size(); ++i) {
    if (kInfo[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

std::size_t row_bytes(DType dtype, std::int64_t columns) {
  const auto& info = dtype_info(dtype);
  CHECK(columns % info.block_elements == 0);
  return static_cast<std::size_t>(columns / info.block_elements) *
         static_cast<std::size_t>(info.block_bytes);
}

void dequantize_row(DType dtype, const std::uint8_t* row, float* out, std::int64_t columns) {
  const auto& info = dtype_info(dtype);
  CHECK(columns % info.block_elements == 0);
  if (info.block_elements == 1) {
    quant::floats_to_f32(dtype, row, out, columns);
    return;
  }
  for (std::int64_t i = 0; i < columns; i += info.block_elements, row += info.block_bytes) {
    float* y = out + i;
    quant::for_each_sub_block(dtype, row, [&](const quant::SubBlock& block) {
      for (int j = 0; j < block.size; ++j) {
        *y++ = block.d * static_cast<float>(block.q[j]) + block.m;
      }
    });
  }
}

}  // namespace plinth::tensor
