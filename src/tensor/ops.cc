#include "tensor/ops.h"

#include "tensor/x86/ops_body.h"

namespace plinth::tensor {

std::size_t full_attention_scratch(int tokens, int head_width) {
  const auto positions = padded_positions(tokens);
  const auto width = padded_width(head_width);
  return positions * static_cast<std::size_t>(head_width) + positions * width +
         positions * kQueryRows + static_cast<std::size_t>(head_width) * kQueryRows;
}

const Ops& ops_for(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return kScalarOps;
    case Isa::avx2:
      return kAvx2Ops;
    case Isa::avx512:
    case Isa::amx:
      return kAvx512Ops;
  }
  return kScalarOps;
}

}  // namespace plinth::tensor
