#include "tensor/attention.h"

#include "tensor/x86/attention_body.h"

namespace plinth::tensor {

const AttentionKernels& attention_kernels(Isa isa, KvType type) {
  const auto index = static_cast<std::size_t>(type);
  switch (isa) {
    case Isa::scalar:
      return kScalarAttention[index];
    case Isa::avx2:
      return kAvx2Attention[index];
    case Isa::avx512:
    case Isa::amx:
      return kAvx512Attention[index];
  }
  return kScalarAttention[index];
}

}  // namespace plinth::tensor
