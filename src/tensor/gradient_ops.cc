#include "tensor/gradient_ops.h"

#include "tensor/x86/gradient_ops_body.h"

namespace plinth::tensor {

const GradientOps& gradient_ops_for(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return kScalarGradientOps;
    case Isa::avx2:
      return kAvx2GradientOps;
    case Isa::avx512:
    case Isa::amx:
      return kAvx512GradientOps;
  }
  return kScalarGradientOps;
}

}  // namespace plinth::tensor
