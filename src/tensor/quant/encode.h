// The inverse of decode_block: floats to GGUF's blocks.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace plinth::tensor::quant {

// One block of a quantised type. x: [block_elements], finite. out: [block_bytes], written whole.
void encode_block(DType dtype, const float* x, std::uint8_t* out);

}  // namespace plinth::tensor::quant
