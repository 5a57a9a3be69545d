// What the AVX-512 and AMX packers of gemm_pack.h share. Only files compiled for those sets include
// it.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace plinth::tensor {

[[gnu::always_inline]] inline void transpose_16x16(__m512i (&v)[16]) {
  __m512i a[16], b[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 4) {
    b[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
    b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
    b[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
    b[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
  }
  constexpr int kEven = 0x88, kOdd = 0xdd;  // quarters 0 and 2, or 1 and 3, of both
#pragma GCC unroll 8
  for (int j = 0; j < 4; ++j) {
    const __m512i low0 = _mm512_shuffle_i32x4(b[j], b[4 + j], kEven);
    const __m512i high0 = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], kEven);
    const __m512i low1 = _mm512_shuffle_i32x4(b[j], b[4 + j], kOdd);
    const __m512i high1 = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], kOdd);
    v[j] = _mm512_shuffle_i32x4(low0, high0, kEven);
    v[4 + j] = _mm512_shuffle_i32x4(low1, high1, kEven);
    v[8 + j] = _mm512_shuffle_i32x4(low0, high0, kOdd);
    v[12 + j] = _mm512_shuffle_i32x4(low1, high1, kOdd);
  }
}

[[gnu::always_inline]] inline __mmask16 first_16(std::int64_t count) {
  return static_cast<__mmask16>((1u << count) - 1);
}
[[gnu::always_inline]] inline __mmask32 first_32(std::int64_t count) {
  return static_cast<__mmask32>((std::uint64_t{1} << count) - 1);
}

// 16 numbers of BF16 as fp32's bits or as the lower halves of elements.
[[gnu::always_inline]] inline __m512i load_halves(const std::uint16_t* at, std::int64_t count) {
  return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first_16(count), at));
}

struct GemmVectors512 {
  using Vector = __m512i;
  static constexpr int kWide = 16;
  [[gnu::always_inline]] static void transpose(Vector (&v)[16]) { transpose_16x16(v); }
  template <int kLanes>
  [[gnu::always_inline]] static void store(std::uint32_t* to, Vector v) {
    if constexpr (kLanes == kWide) {
      _mm512_storeu_si512(to, v);
    } else {
      _mm512_mask_storeu_epi32(to, first_16(kLanes), v);
    }
  }
};

}  // namespace plinth::tensor
