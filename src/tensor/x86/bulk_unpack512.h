// The compact form unpacked into tiles of BF16 in AVX-512's fp16, as bulk_kernels.h says. Only
// files compiled for AMX include it.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "tensor/x86/bulk_kernels.h"
#include "tensor/x86/compact_vectors512.h"

namespace plinth::tensor {

// Each number twice, for the pair of columns of its row.
[[gnu::always_inline]] inline __m512h in_pairs(const std::uint8_t* halves) {
  const __m512i one =
      _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves)));
  return reinterpret_cast<__m512h>(_mm512_or_si512(one, _mm512_slli_epi32(one, 16)));
}

// The weight of fp16 with 8 significant bits, 2^-112 of it as BF16: the exponent moves as it is.
[[gnu::always_inline]] inline __m512i rounded_bf16(__m512h weights) {
  const __m512i half = _mm512_set1_epi16(4);
  const __m512i sign_and_rest = _mm512_set1_epi16(static_cast<short>(0x8fff));
  const __m512i near = _mm512_add_epi16(reinterpret_cast<__m512i>(weights), half);
  return _mm512_and_si512(_mm512_srai_epi16(near, 3), sign_and_rest);
}

// What unpack_block() says, for nibbles with a zero of 8: fp16 keeps each number less its zero in
// its upper byte.
[[gnu::always_inline]] inline void unpack_nibbles(const std::uint8_t* q, __m512h d,
                                                  std::uint16_t* out) {
  const __m512i less_8 = _mm512_set4_epi32(0x47464544, 0x42403c00, static_cast<int>(0xbcc0c2c4),
                                           static_cast<int>(0xc5c6c7c8));
  const __m512i nibble = _mm512_set1_epi8(15);
  const __m512i upper = _mm512_set1_epi16(static_cast<short>(0xff00));
  const auto store = [&](__m512i number, std::uint16_t* to) {
    const __m512h weights = _mm512_mul_ph(reinterpret_cast<__m512h>(number), d);
    _mm512_store_si512(to, rounded_bf16(weights));
  };
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512i both = _mm512_loadu_si512(q + j * kCompactVector);
#pragma GCC unroll 2
    for (int high = 0; high < 2; ++high) {
      const __m512i one = high == 0 ? both : _mm512_srli_epi16(both, 4);
      const __m512i number = _mm512_shuffle_epi8(less_8, _mm512_and_si512(one, nibble));
      std::uint16_t* to = out + (8 * high + 2 * j) * kCompactBlock;
      store(_mm512_slli_epi16(number, 8), to);
      store(_mm512_and_si512(number, upper), to + kCompactBlock);
    }
  }
}

// One block into 16 pairs of columns, [16, 16, 2], in the order of bulk_column().
template <Integers kIntegers, int kSubs, bool kOffsets>
[[gnu::always_inline]] inline void unpack_block(const std::uint8_t* at, std::uint16_t* out) {
  using R = Record512<kIntegers, kSubs, kOffsets>;
  if constexpr (kIntegers == Integers::nibbles && unsigned_zero(kIntegers, kSubs) == 8 &&
                !kOffsets) {
    return unpack_nibbles(at + R::kScaleBytes, in_pairs(at), out);
  }
  const R record{at};
  __m512h d[kSubs], m[kSubs];
#pragma GCC unroll 2
  for (int sub = 0; sub < kSubs; ++sub) {
    d[sub] = in_pairs(at + sub * kCompactScales);
    if constexpr (kOffsets) {
      m[sub] = in_pairs(at + (kSubs + sub) * kCompactScales);
    } else {
      const auto zero = static_cast<_Float16>(-unsigned_zero(kIntegers, kSubs));
      m[sub] = _mm512_mul_ph(d[sub], _mm512_set1_ph(zero));
    }
  }
  __m512i w[8];
  record.integers(w);
  const __m512i low = _mm512_set1_epi16(255);
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) {
    const int sub = kSubs == 1 ? 0 : j / 4;
    const auto store = [&](__m512i q, std::uint16_t* to) {
      const __m512h weights = _mm512_fmadd_ph(_mm512_cvtepu16_ph(q), d[sub], m[sub]);
      _mm512_store_si512(to, rounded_bf16(weights));
    };
    store(_mm512_and_si512(w[j], low), out + 2 * j * kCompactBlock);
    store(_mm512_srli_epi16(w[j], 8), out + (2 * j + 1) * kCompactBlock);
  }
}

// Blocks [first, last) of one tile.
template <Integers kIntegers, int kSubs, bool kOffsets>
inline void unpack(const std::uint8_t* tile, std::int64_t first, std::int64_t last,
                   std::uint16_t* out) {
  constexpr auto kBytes = Record512<kIntegers, kSubs, kOffsets>::kBytes;
  const std::uint8_t* at = tile + kCompactRows * 4 + first * kBytes;
  for (auto b = first; b < last; ++b, at += kBytes, out += kBulkTile) {
    unpack_block<kIntegers, kSubs, kOffsets>(at, out);
  }
}

}  // namespace plinth::tensor
