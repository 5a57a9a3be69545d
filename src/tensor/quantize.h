// Floats in the stored types: what `dequantize_row` reads, written.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/dtype.h"

namespace plinth::tensor {

// One row as `dtype`. x: [columns], finite; columns must be a multiple of the type's
// block_elements. out: row_bytes(dtype, columns) bytes. Scales are fitted to the least squared
// error of each block, so another writer's bytes differ a little.
void quantize_row(DType dtype, const float* x, std::uint8_t* out, std::int64_t columns);

// All rows as `dtype`.
std::vector<std::uint8_t> quantize_matrix(DType dtype, const MatrixView& matrix);

}  // namespace plinth::tensor
