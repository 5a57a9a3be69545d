#include <immintrin.h>

#include "tensor/x86/gemm_kernels.h"
#include "tensor/x86/gemm_pack.h"
#include "tensor/x86/gemm_tile512.h"
#include "tensor/x86/gemm_vectors512.h"

namespace plinth::tensor {

namespace {

// To BF16 and back, where no instruction does: halves to even, and a NaN stays one.
template <bool kRounded>
__m512i rounded(__m512i bits) {
  if constexpr (!kRounded) return bits;
  // Masked, since GCC 12 takes the plain shift for one of an undefined vector.
  const __m512i upper = _mm512_maskz_srli_epi32(first_16(16), bits, 16);
  const __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
  const __m512i near = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
  const __m512 number = _mm512_castsi512_ps(bits);
  const __mmask16 nan = _mm512_cmp_ps_mask(number, number, _CMP_UNORD_Q);
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
  return _mm512_and_si512(_mm512_mask_mov_epi32(near, nan, quiet),
                          _mm512_set1_epi32(static_cast<int>(0xffff0000u)));
}

template <bool kRounded>
struct Floats : GemmVectors512 {
  using Stored = float;
  static constexpr int kNumbers = 1;
  static Vector along(const float* at, std::int64_t numbers) {
    return rounded<kRounded>(_mm512_maskz_loadu_epi32(first_16(numbers), at));
  }
  static Vector across(const float* at, std::int64_t, std::int64_t lanes, std::int64_t) {
    return along(at, lanes);
  }
};

struct Bfloats : GemmVectors512 {
  using Stored = std::uint16_t;
  static constexpr int kNumbers = 1;
  static Vector along(const std::uint16_t* at, std::int64_t numbers) {
    return _mm512_slli_epi32(load_halves(at, numbers), 16);
  }
  static Vector across(const std::uint16_t* at, std::int64_t, std::int64_t lanes, std::int64_t) {
    return along(at, lanes);
  }
};

using PanelA = GemmPanel<kTileRows512, 1, 16>;
using PanelB = GemmPanel<16, 2, 16>;

struct MultiplyAdd {
  [[gnu::always_inline]] static __m512 add(__m512 sum, const float* a, __m512 b) {
    __asm__("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(b), "m"(*a));
    return sum;
  }
};

template <bool kRounded>
constexpr GemmKernel kernel() {
  GemmKernel made;
  made.rows = kTileRows512;
  made.columns = kTileColumns512;
  made.number_bytes = 4;
  made.block_bytes = kBlockBytes512;
  made.block_rows = kBlockRows512;
  made.pack_a = pack_panels<Floats<kRounded>, Bfloats, PanelA>;
  made.pack_b = pack_panels<Floats<kRounded>, Bfloats, PanelB>;
  made.multiply = multiply_panels512<MultiplyAdd, 1>;
  return made;
}

}  // namespace

constinit const GemmKernel kGemmAvx512 = kernel<false>();
constinit const GemmKernel kGemmAvx512Rounded = kernel<true>();

}  // namespace plinth::tensor
