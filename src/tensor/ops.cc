#include "tensor/ops.h"

#include "tensor/x86/ops_body.h"

namespace plinth::tensor {

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
