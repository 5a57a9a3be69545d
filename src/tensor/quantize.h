// Stored weights in a smaller type, for models whose files hold floats.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/dtype.h"

namespace plinth::tensor {

// The matrix as rows of q8_0: blocks of 32 with one fp16 scale, each integer the nearest. Columns
// must be a multiple of 32.
std::vector<std::uint8_t> quantize_q8_0(const MatrixView& matrix);

}  // namespace plinth::tensor
