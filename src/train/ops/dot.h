// Sums over a row in one fixed order that compilers turn into vectors.
#pragma once

#include <cstdint>

namespace plinth::train {

inline constexpr int kDotLanes = 16;

template <typename T>
T fold(const T* lanes) {
  T eight[8], four[4];
  for (int i = 0; i < 8; ++i) eight[i] = lanes[i] + lanes[i + 8];
  for (int i = 0; i < 4; ++i) four[i] = eight[i] + eight[i + 4];
  return (four[0] + four[2]) + (four[1] + four[3]);
}

template <typename T>
T dot(const T* a, const T* b, std::int64_t n) {
  T lanes[kDotLanes] = {};
  std::int64_t i = 0;
  for (; i + kDotLanes <= n; i += kDotLanes) {
    for (int l = 0; l < kDotLanes; ++l) lanes[l] += a[i + l] * b[i + l];
  }
  for (int l = 0; i + l < n; ++l) lanes[l] += a[i + l] * b[i + l];
  return fold(lanes);
}

// y += factor * x, over n.
template <typename T>
void add_scaled(T factor, const T* x, std::int64_t n, T* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

}  // namespace plinth::train
