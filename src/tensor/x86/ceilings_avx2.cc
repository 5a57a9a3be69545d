#include <immintrin.h>

#include "tensor/x86/ceiling_chain.h"
#include "tensor/x86/ceiling_kernels.h"

namespace plinth::tensor {

namespace {

// Independent chains: more than latency times throughput of any of these instructions. Every loop
// over them is unrolled: one that is not would keep them in memory, which is then what is measured.
constexpr int kChains = 10;

std::int64_t first_lane(__m256i v) { return _mm256_extract_epi64(v, 0); }

template <bool kFetch>
void read_all(const std::uint8_t* data, std::size_t bytes, std::int64_t* sink) {
  constexpr std::size_t kAheadBytes = 2 << 10;
  __m256i sum[4] = {};
  for (std::size_t at = 0; at + 256 <= bytes; at += 256) {
    for (std::size_t line = 0; kFetch && line < 256; line += 64) {
      _mm_prefetch(data + at + kAheadBytes + line, _MM_HINT_T0);
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) {
      const auto* p = reinterpret_cast<const __m256i*>(data + at + i * 32);
      sum[i % 4] = _mm256_xor_si256(sum[i % 4], _mm256_loadu_si256(p));
    }
  }
  *sink += first_lane(
      _mm256_xor_si256(_mm256_xor_si256(sum[0], sum[1]), _mm256_xor_si256(sum[2], sum[3])));
}

}  // namespace

void read_avx2(const std::uint8_t* data, std::size_t bytes, std::int64_t* sink) {
  read_all<false>(data, bytes, sink);
}

void read_memory_avx2(const std::uint8_t* data, std::size_t bytes, std::int64_t* sink) {
  read_all<true>(data, bytes, sink);
}

double fma_avx2(std::int64_t rounds, std::int64_t* sink) {
  __m256 sum[kChains], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
#pragma GCC unroll 10
  for (auto& s : sum) {
    s = a;
    hide(s);
  }
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 10
    for (int c = 0; c < kChains; ++c) sum[c] = _mm256_fmadd_ps(sum[c], a, b);
    hide(a);
  }
#pragma GCC unroll 10
  for (auto& s : sum) *sink += first_lane(_mm256_castps_si256(s));
  return static_cast<double>(rounds) * kChains * 16;
}

// Whose absolute values are at hand, as where one unpacked weight serves several tokens.
double int8_signed_avx2(std::int64_t rounds, std::int64_t* sink) {
  __m256i sum[kChains] = {}, w = _mm256_set1_epi8(-3), x = _mm256_set1_epi8(5);
#pragma GCC unroll 10
  for (auto& s : sum) hide(s);
  const __m256i magnitude = _mm256_abs_epi8(w), ones = _mm256_set1_epi16(1);
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 10
    for (int c = 0; c < kChains; ++c) {
      hide(x);
      const __m256i product = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(x, w));
      sum[c] = _mm256_add_epi32(sum[c], _mm256_madd_epi16(product, ones));
    }
  }
#pragma GCC unroll 10
  for (auto& s : sum) *sink += first_lane(s);
  return static_cast<double>(rounds) * kChains * 64;
}

double int8_widened_avx2(std::int64_t rounds, std::int64_t* sink) {
  __m256i sum[kChains] = {}, w = _mm256_set1_epi8(3), x = _mm256_set1_epi8(5);
#pragma GCC unroll 10
  for (auto& s : sum) hide(s);
  const __m256i ones = _mm256_set1_epi16(1);
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 10
    for (int c = 0; c < kChains; ++c) {
      hide(x);
      sum[c] = _mm256_add_epi32(sum[c], _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), ones));
    }
  }
#pragma GCC unroll 10
  for (auto& s : sum) *sink += first_lane(s);
  return static_cast<double>(rounds) * kChains * 64;
}

double int8_in_int16_avx2(std::int64_t rounds, std::int64_t* sink) {
  __m256i sum[kChains] = {}, w = _mm256_set1_epi8(3), x = _mm256_set1_epi8(5);
#pragma GCC unroll 10
  for (auto& s : sum) hide(s);
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 10
    for (int c = 0; c < kChains; ++c) {
      hide(x);
      sum[c] = _mm256_add_epi16(sum[c], _mm256_maddubs_epi16(w, x));
    }
  }
#pragma GCC unroll 10
  for (auto& s : sum) *sink += first_lane(s);
  return static_cast<double>(rounds) * kChains * 64;
}

}  // namespace plinth::tensor
