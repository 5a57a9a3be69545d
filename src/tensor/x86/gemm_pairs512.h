// Loads of gemm_pack.h that make pairs of BF16. Only files compiled for AVX512-BF16 include it.
#pragma once

#include <immintrin.h>

#include "tensor/x86/gemm_vectors512.h"

namespace plinth::tensor {

template <typename Tag>
struct FloatPairs : GemmVectors512 {
  using Stored = float;
  static constexpr int kNumbers = 2;
  [[gnu::always_inline]] static Vector along(const float* at, std::int64_t numbers) {
    const __mmask32 mask = first_32(numbers);
    const __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), at);
    const __m512 high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), at + 16);
    return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
  }
  [[gnu::always_inline]] static Vector across(const float* at, std::int64_t ld, std::int64_t lanes,
                                              std::int64_t numbers) {
    const __mmask16 mask = first_16(lanes), second = numbers > 1 ? mask : first_16(0);
    const __m512 even = _mm512_maskz_loadu_ps(mask, at);
    const __m512 odd = _mm512_maskz_loadu_ps(second, numbers > 1 ? at + ld : at);
    const auto apart = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd, even));
    const __m512i in_turn = _mm512_add_epi16(
        _mm512_set_epi64(0x000f000f000e000e, 0x000d000d000c000c, 0x000b000b000a000a,
                         0x0009000900080008, 0x0007000700060006, 0x0005000500040004,
                         0x0003000300020002, 0x0001000100000000),
        _mm512_set1_epi32(16 << 16));
    return _mm512_permutexvar_epi16(in_turn, apart);
  }
};

template <typename Tag>
struct BfloatPairs : GemmVectors512 {
  using Stored = std::uint16_t;
  static constexpr int kNumbers = 2;
  [[gnu::always_inline]] static Vector along(const std::uint16_t* at, std::int64_t numbers) {
    return _mm512_maskz_loadu_epi16(first_32(numbers), at);
  }
  [[gnu::always_inline]] static Vector across(const std::uint16_t* at, std::int64_t ld,
                                              std::int64_t lanes, std::int64_t numbers) {
    const __m512i even = load_halves(at, lanes);
    if (numbers < 2) return even;
    return _mm512_or_si512(even, _mm512_slli_epi32(load_halves(at + ld, lanes), 16));
  }
};

}  // namespace plinth::tensor
