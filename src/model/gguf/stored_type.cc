#include "model/gguf/stored_type.h"

namespace plinth::model {

namespace {

using tensor::DType;

bool divides(DType dtype, std::int64_t columns) {
  return columns % tensor::dtype_info(dtype).block_elements == 0;
}

// In blocks of 32.
DType shorter_blocks(DType wanted) {
  switch (wanted) {
    case DType::q4_k:
      return DType::q5_0;
    case DType::q5_k:
      return DType::q5_1;
    case DType::q6_k:
      return DType::q8_0;
    default:
      return DType::iq4_nl;
  }
}

}  // namespace

DType stored_type(DType wanted, std::int64_t columns) {
  if (divides(wanted, columns)) return wanted;
  const auto shorter = shorter_blocks(wanted);
  return divides(shorter, columns) ? shorter : DType::f16;
}

}  // namespace plinth::model
