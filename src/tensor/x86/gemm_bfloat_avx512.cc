#include <immintrin.h>

#include "tensor/x86/gemm_kernels.h"
#include "tensor/x86/gemm_pack.h"
#include "tensor/x86/gemm_pairs512.h"
#include "tensor/x86/gemm_tile512.h"

namespace plinth::tensor {

namespace {

struct Unit;
using PanelA = GemmPanel<kTileRows512, 1, 16>;
using PanelB = GemmPanel<16, 2, 16>;

struct MultiplyAddPairs {
  [[gnu::always_inline]] static __m512 add(__m512 sum, const float* a, __m512 b) {
    __asm__("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(b), "m"(*a));
    return sum;
  }
};

constexpr GemmKernel kernel() {
  GemmKernel made;
  made.rows = kTileRows512;
  made.columns = kTileColumns512;
  made.number_bytes = 2;
  made.block_bytes = kBlockBytes512;
  made.block_rows = kBlockRows512;
  made.pack_a = pack_panels<FloatPairs<Unit>, BfloatPairs<Unit>, PanelA>;
  made.pack_b = pack_panels<FloatPairs<Unit>, BfloatPairs<Unit>, PanelB>;
  made.multiply = multiply_panels512<MultiplyAddPairs, 2>;
  return made;
}

}  // namespace

constinit const GemmKernel kGemmBfloatAvx512 = kernel();

}  // namespace plinth::tensor
