// The compact form's records in vectors of 64 bytes: what the AVX-512 and AMX kernels share. Only
// files compiled for those sets include it.
#pragma once

#include <immintrin.h>

#include <bit>

#include "tensor/pack/compact_form.h"
#include "tensor/quant/blocks.h"

namespace plinth::tensor {

// VPDPBUSD multiplies unsigned weights by signed activations: weights that are signed have 128
// added, which is then their zero.
constexpr int unsigned_zero(Integers integers, int subs) {
  const bool is_signed = integers == Integers::bytes || integers == Integers::codes;
  return is_signed ? 128 : zero_of(integers, subs);
}

// What a zero adds to a dot, from PanelBlock::minus8.
template <int kZero>
[[gnu::always_inline]] inline __m512i zero_part(std::int32_t minus8) {
  const __m512i v = _mm512_set1_epi32(minus8);
  if constexpr (kZero < 8) return _mm512_srai_epi32(v, std::countr_zero(8u / kZero));
  if constexpr (kZero > 8) return _mm512_slli_epi32(v, std::countr_zero(kZero / 8u));
  return v;
}

// Where a record has what, as CompactForm says it.
template <Integers kIntegers, int kSubs, bool kOffsets>
struct Record512 {
  static constexpr std::int64_t kScaleBytes = kCompactScales * kSubs * (kOffsets ? 2 : 1);
  static constexpr std::int64_t kBytes = kScaleBytes + kCompactVector * stored_vectors(kIntegers);

  const std::uint8_t* at;

  [[gnu::always_inline]] __m512 scale(int sub) const {
    return _mm512_cvtph_ps(
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + sub * kCompactScales)));
  }
  [[gnu::always_inline]] __m512 offset(int sub) const { return scale(kSubs + sub); }
  // The block's integers as unsigned bytes, byte b of lane r of w[j] being column 4 j + b of row r.
  [[gnu::always_inline]] void integers(__m512i w[8]) const {
    const std::uint8_t* q = at + kScaleBytes;
    const __m512i turned = _mm512_set1_epi8(static_cast<char>(0x80));
    if constexpr (kIntegers == Integers::bytes) {
#pragma GCC unroll 8
      for (int j = 0; j < 8; ++j) {
        w[j] = _mm512_xor_si512(_mm512_loadu_si512(q + j * kCompactVector), turned);
      }
      return;
    }
    const __m512i nibble = _mm512_set1_epi8(15);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const __m512i both = _mm512_loadu_si512(q + j * kCompactVector);
      w[j] = _mm512_and_si512(both, nibble);
      w[j + 4] = _mm512_and_si512(_mm512_srli_epi16(both, 4), nibble);
    }
    if constexpr (kIntegers == Integers::codes) {
      const __m512i table = _mm512_xor_si512(
          _mm512_broadcast_i32x4(
              _mm_loadu_si128(reinterpret_cast<const __m128i*>(quant::kIq4Values))),
          turned);
#pragma GCC unroll 8
      for (int j = 0; j < 8; ++j) w[j] = _mm512_shuffle_epi8(table, w[j]);
    }
    if constexpr (kIntegers == Integers::five) {
      const __m512i high = _mm512_loadu_si512(q + 4 * kCompactVector);
      const __m512i bit = _mm512_set1_epi8(16);
#pragma GCC unroll 8
      for (int j = 0; j < 8; ++j) {
        const __m512i moved = j < 4 ? _mm512_slli_epi16(high, static_cast<unsigned>(4 - j))
                                    : _mm512_srli_epi16(high, static_cast<unsigned>(j - 4));
        w[j] = _mm512_or_si512(w[j], _mm512_and_si512(moved, bit));
      }
    }
    if constexpr (kIntegers == Integers::six) {
      const __m512i bits = _mm512_set1_epi8(48);
#pragma GCC unroll 8
      for (int j = 0; j < 8; ++j) {
        const __m512i high = _mm512_loadu_si512(q + (4 + j / 4) * kCompactVector);
        const int up = 4 - j % 4 * 2;
        const __m512i moved = up >= 0 ? _mm512_slli_epi16(high, static_cast<unsigned>(up))
                                      : _mm512_srli_epi16(high, static_cast<unsigned>(-up));
        w[j] = _mm512_or_si512(w[j], _mm512_and_si512(moved, bits));
      }
    }
  }
};

}  // namespace plinth::tensor
