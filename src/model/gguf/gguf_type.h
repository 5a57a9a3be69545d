// The numbers that GGUF gives to element types.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tensor/dtype.h"

namespace plinth::model {

// Nothing for a type that cannot be read.
std::optional<tensor::DType> gguf_dtype(std::uint32_t type);

// Every type that can be read has one.
std::uint32_t gguf_type_number(tensor::DType dtype);

// For errors: "iq1_s (19)"; types that nobody knows are their number.
std::string gguf_type_name(std::uint32_t type);

}  // namespace plinth::model
