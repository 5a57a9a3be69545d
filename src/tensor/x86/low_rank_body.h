// The two products once, as templates of a tag: each instruction set's unit instantiates them with
// its own tag and compiler flags.
#pragma once

#include <cstdint>

#include "tensor/x86/vector8.h"

namespace plinth::tensor {

inline constexpr int kRankLanes = 8;     // one vector; ranks are mostly multiples of it
inline constexpr int kOutputLanes = 32;  // four sums at once, as many as hide one's latency
inline constexpr int kLowRankRows = 4;   // which with four sums each fill sixteen registers

struct LowRankKernels {
  // u[i][0, kRankLanes) = x[i] times one block of A, for rows 1..kLowRankRows.
  void (*reduce)(const float* const* x, int rows, const float* a, std::int64_t inputs,
                 float* const* u);
  // y[i][0, outputs) += u[i] times one block of B; outputs 1..kOutputLanes.
  void (*expand)(const float* const* u, int rows, const float* b, int rank, int outputs,
                 float* const* y);
};

extern const LowRankKernels kScalarLowRank, kAvx2LowRank, kAvx512LowRank;

template <typename Tag>
struct LowRankBody {
  using V = Vector8Ops<Tag>;

  template <int kRows>
  static void reduce_rows(const float* const* x, const float* a, std::int64_t inputs,
                          float* const* u) {
    Vector8 sums[kRows][4] = {};
    std::int64_t k = 0;
    for (; k + 4 <= inputs; k += 4) {
      for (int c = 0; c < 4; ++c) {
        const Vector8 column = V::load(a + (k + c) * kRankLanes);
        for (int i = 0; i < kRows; ++i) sums[i][c] += V::splat(x[i][k + c]) * column;
      }
    }
    for (int c = 0; k + c < inputs; ++c) {
      const Vector8 column = V::load(a + (k + c) * kRankLanes);
      for (int i = 0; i < kRows; ++i) sums[i][c] += V::splat(x[i][k + c]) * column;
    }
    for (int i = 0; i < kRows; ++i) {
      V::store(u[i], (sums[i][0] + sums[i][1]) + (sums[i][2] + sums[i][3]));
    }
  }

  template <int kRows>
  static void expand_rows(const float* const* u, const float* b, int rank, int outputs,
                          float* const* y) {
    Vector8 sums[kRows][4] = {};
    for (int r = 0; r < rank; ++r) {
      for (int c = 0; c < 4; ++c) {
        const Vector8 column = V::load(b + r * kOutputLanes + c * 8);
        for (int i = 0; i < kRows; ++i) sums[i][c] += V::splat(u[i][r]) * column;
      }
    }
    for (int i = 0; i < kRows; ++i) {
      float lanes[kOutputLanes];
      for (int c = 0; c < 4; ++c) V::store(lanes + c * 8, sums[i][c]);
      for (int j = 0; j < outputs; ++j) y[i][j] += lanes[j];
    }
  }

  static void reduce(const float* const* x, int rows, const float* a, std::int64_t inputs,
                     float* const* u) {
    switch (rows) {
      case 1:
        return reduce_rows<1>(x, a, inputs, u);
      case 2:
        return reduce_rows<2>(x, a, inputs, u);
      case 3:
        return reduce_rows<3>(x, a, inputs, u);
      default:
        return reduce_rows<4>(x, a, inputs, u);
    }
  }

  static void expand(const float* const* u, int rows, const float* b, int rank, int outputs,
                     float* const* y) {
    switch (rows) {
      case 1:
        return expand_rows<1>(u, b, rank, outputs, y);
      case 2:
        return expand_rows<2>(u, b, rank, outputs, y);
      case 3:
        return expand_rows<3>(u, b, rank, outputs, y);
      default:
        return expand_rows<4>(u, b, rank, outputs, y);
    }
  }

  static constexpr LowRankKernels kTable{reduce, expand};
};

}  // namespace plinth::tensor
