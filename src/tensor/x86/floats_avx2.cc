#include <immintrin.h>

#include "tensor/x86/float_kernels.h"

namespace plinth::tensor {

namespace {

// Weights of one column, 8 rows in each half.
struct Column {
  __m256 half[2];
};

template <FloatStore kStore>
struct Columns;

template <>
struct Columns<FloatStore::f32> {
  static constexpr int kStep = 1;
  static void load(const std::uint8_t* group, std::int64_t c, Column out[]) {
    const auto* w = reinterpret_cast<const float*>(group) + c * kFloatRows;
    out[0] = {{_mm256_loadu_ps(w), _mm256_loadu_ps(w + 8)}};
  }
};

template <>
struct Columns<FloatStore::f16> {
  static constexpr int kStep = 1;
  static void load(const std::uint8_t* group, std::int64_t c, Column out[]) {
    const auto* w = reinterpret_cast<const __m128i*>(group + c * kFloatRows * 2);
    out[0] = {{_mm256_cvtph_ps(_mm_loadu_si128(w)), _mm256_cvtph_ps(_mm_loadu_si128(w + 1))}};
  }
};

// A BF16 is the upper half of an fp32.
template <>
struct Columns<FloatStore::bf16> {
  static constexpr int kStep = 2;
  static void load(const std::uint8_t* group, std::int64_t c, Column out[]) {
    const auto* w = reinterpret_cast<const __m256i*>(group + c * kFloatRows * 2);
    const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
    for (int h = 0; h < 2; ++h) {
      const __m256i pairs = _mm256_loadu_si256(w + h);
      out[0].half[h] = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
      out[1].half[h] = _mm256_castsi256_ps(_mm256_and_si256(pairs, upper));
    }
  }
};

template <FloatStore kStore, int kM>
void tile(const FloatTask& task) {
  constexpr int kStep = Columns<kStore>::kStep;
  __m256 sum[kM][2];
  for (auto& row : sum) row[0] = row[1] = _mm256_setzero_ps();
  const auto add = [&](const Column& w, std::int64_t c) {
#pragma GCC unroll 4
    for (int t = 0; t < kM; ++t) {
      const __m256 value = _mm256_set1_ps(task.x[t * task.columns + c]);
      sum[t][0] = _mm256_fmadd_ps(w.half[0], value, sum[t][0]);
      sum[t][1] = _mm256_fmadd_ps(w.half[1], value, sum[t][1]);
    }
  };
  Column w[kStep];
  std::int64_t c = 0;
  for (; c + kStep <= task.columns; c += kStep) {
    Columns<kStore>::load(task.group, c, w);
#pragma GCC unroll 2
    for (int i = 0; i < kStep; ++i) add(w[i], c + i);
  }
  if (c < task.columns) {
    Columns<kStore>::load(task.group, c, w);
    add(w[0], c);
  }
  for (int t = 0; t < kM; ++t) {
    _mm256_storeu_ps(task.y + t * task.ldy, sum[t][0]);
    _mm256_storeu_ps(task.y + t * task.ldy + 8, sum[t][1]);
  }
}

template <FloatStore kStore>
void multiply(const FloatTask& all) {
  constexpr int kTokens = 4;
  FloatTask task = all;
  const auto advance = [&](int tokens) {
    task.x += tokens * task.columns;
    task.y += tokens * task.ldy;
    task.m -= tokens;
  };
  for (; task.m >= kTokens; advance(kTokens)) tile<kStore, kTokens>(task);
  for (; task.m > 0; advance(1)) tile<kStore, 1>(task);
}

}  // namespace

const FloatKernels kFloatsAvx2 = {multiply<FloatStore::f32>, multiply<FloatStore::f16>,
                                  multiply<FloatStore::bf16>};

}  // namespace plinth::tensor
