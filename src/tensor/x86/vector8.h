// Eight floats as a value, on every instruction set: one register on AVX2, two on SSE2. Sixteen on
// AVX-512 alone, where they are one register.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "tensor/quant/blocks.h"

namespace plinth::tensor {

using Vector8 = float __attribute__((vector_size(32)));
using Vector4 = float __attribute__((vector_size(16)));
using Vector16 = float __attribute__((vector_size(64)));
using Int8x32 = std::int32_t __attribute__((vector_size(32)));  // eight 32-bit integers
using Int16x32 = std::int32_t __attribute__((vector_size(64)));

// A template of a tag, so that units with different flags share no instantiation.
template <typename Tag>
struct Vector8Ops {
  template <int kFirst>
  static Vector4 half(Vector8 v) {
    return __builtin_shufflevector(v, v, kFirst, kFirst + 1, kFirst + 2, kFirst + 3);
  }
  static Vector8 splat(float x) { return Vector8{x, x, x, x, x, x, x, x}; }
  static Vector8 load(const float* p) {
    Vector8 v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  static void store(float* p, Vector8 v) { std::memcpy(p, &v, sizeof v); }
  static void store(float* p, Vector16 v) { std::memcpy(p, &v, sizeof v); }

  // fp16, as bits.
  static Vector8 load(const std::uint16_t* p) {
#ifdef __F16C__
    const __m256 v = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return reinterpret_cast<Vector8>(v);
#else
    Vector8 v;
    for (int i = 0; i < 8; ++i) v[i] = quant::f16_to_f32(p[i]);
    return v;
#endif
  }
  // 8-bit integers.
  static Vector8 load(const std::int8_t* p) {
#ifdef __AVX2__
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return reinterpret_cast<Vector8>(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)));
#else
    Vector8 v;
    for (int i = 0; i < 8; ++i) v[i] = static_cast<float>(p[i]);
    return v;
#endif
  }
  template <typename Vector, typename Element>
  static Vector load_as(const Element* p) {
    if constexpr (sizeof(Vector) == sizeof(Vector8)) {
      return load(p);
    } else {
      return load16(p);
    }
  }
#ifdef __AVX512F__
  static Vector16 load16(const float* p) { return reinterpret_cast<Vector16>(_mm512_loadu_ps(p)); }
  static Vector16 load16(const std::uint16_t* p) {
    return reinterpret_cast<Vector16>(
        _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
  }
  static Vector16 load16(const std::int8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return reinterpret_cast<Vector16>(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)));
  }
#endif
  // Within fp16's range; what is no number is its largest.
  static float bounded(float value) { return std::max(-65504.0f, std::min(65504.0f, value)); }
  static void put(float* to, float value) { *to = value; }
  static void put(std::uint16_t* to, float value) {
#ifdef __F16C__
    *to = _cvtss_sh(bounded(value), _MM_FROUND_TO_NEAREST_INT);
#else
    *to = quant::f32_to_f16(bounded(value));
#endif
  }

  // One fixed tree: ((v0 + v4) + (v2 + v6)) + ((v1 + v5) + (v3 + v7)).
  static float sum(Vector8 v) {
    const Vector4 four = half<0>(v) + half<4>(v);
    const Vector4 two = four + __builtin_shufflevector(four, four, 2, 3, 2, 3);
    return two[0] + two[1];
  }
  static float largest(Vector8 v) {
    const Vector4 low = half<0>(v), high = half<4>(v);
    const Vector4 four = low > high ? low : high;
    const Vector4 other = __builtin_shufflevector(four, four, 2, 3, 2, 3);
    const Vector4 two = four > other ? four : other;
    return two[0] > two[1] ? two[0] : two[1];
  }

  // exp within 2 ulp; below -87 it is 0, above 88 it is exp(88). Cody and Waite reduction, degree-6
  // polynomial.
  static Vector8 exp(Vector8 x) {
    const Vector8 low = splat(-87.0f);
    const Vector8 high = splat(88.0f);
    const Vector8 clamped = x < low ? low : (x > high ? high : x);
    const Vector8 magic = splat(12582912.0f);  // 1.5 * 2^23 rounds to an integer
    const Vector8 shifted = clamped * 1.44269504f + magic;
    const Vector8 n = shifted - magic;
    const Vector8 r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
    Vector8 p = splat(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    const Vector8 value = p * r * r + r + 1.0f;
    const Int8x32 exponent =
        reinterpret_cast<Int8x32>(shifted) - reinterpret_cast<Int8x32>(magic) + 127;
    const Vector8 power = reinterpret_cast<Vector8>(exponent << 23);
    return x < low ? Vector8{} : value * power;
  }
};

}  // namespace plinth::tensor
