// Element types of stored weights: GGUF's numbering is the file format's business; this is ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace plinth::tensor {

enum class DType : std::uint8_t {
  f32,
  f16,
  bf16,
  q8_0,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl,
  iq4_xs,
};

struct DTypeInfo {
  std::string_view name;  // as GGUF spells it, lower case: "q4_k"
  int block_elements;     // consecutive elements of a row that share scales
  int block_bytes;
};

const DTypeInfo& dtype_info(DType dtype);

// The type of that name; nothing where there is none.
std::optional<DType> dtype_named(std::string_view name);

// Bytes of one row of `columns` elements; columns must be a multiple of block_elements.
std::size_t row_bytes(DType dtype, std::int64_t columns);

// A stored matrix, not owned: row-major, rows of row_bytes(dtype, columns) each, no padding.
// y = x * W^T: rows = output features, columns = input features.
struct MatrixView {
  const std::uint8_t* data = nullptr;
  DType dtype = DType::f32;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};

// One row as fp32. out: [columns]. The definition of each type; everything faster is tested
// against it.
void dequantize_row(DType dtype, const std::uint8_t* row, float* out, std::int64_t columns);

// Row `row` of a matrix. out: [columns].
inline void dequantize_row(const MatrixView& matrix, std::int64_t row, float* out) {
  const auto bytes = row_bytes(matrix.dtype, matrix.columns);
  dequantize_row(matrix.dtype, matrix.data + static_cast<std::size_t>(row) * bytes, out,
                 matrix.columns);
}

}  // namespace plinth::tensor
