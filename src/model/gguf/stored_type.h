// The type that a matrix gets in a GGUF file whose own type was asked for.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace plinth::model {

// `wanted` where its blocks divide rows of so many columns; else one that takes about as many bits
// and does, as llama.cpp's quantiser chooses it: Q4_K becomes Q5_0, Q6_K becomes Q8_0, and F16 what
// no blocks divide.
tensor::DType stored_type(tensor::DType wanted, std::int64_t columns);

}  // namespace plinth::model
