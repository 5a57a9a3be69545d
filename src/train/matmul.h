// C (+)= op(A) op(B), all row-major. The bits of C do not depend on the number of threads.
#pragma once

#include <cstdint>

#include "train/compute.h"

namespace plinth::train {

// c: [m, n]; a: [m, k], or [k, m] where transposed; b: [k, n], or [n, k] where transposed.
template <typename T>
struct Product {
  std::int64_t m = 0, n = 0, k = 0;
  const T* a = nullptr;
  bool transpose_a = false;
  const T* b = nullptr;
  bool transpose_b = false;
  T* c = nullptr;
  bool accumulate = false;  // adds to c
};

template <typename T>
void matmul(const Product<T>& product, Compute& compute);
// c (+)= a b. a: [m, b.k()], c: [m, b.n()].
void multiply_packed(const float* a, std::int64_t m, const tensor::PackedOperand& b, float* c,
                     bool accumulate, Compute& compute);

template <>
void matmul(const Product<float>& product, Compute& compute);
template <>
void matmul(const Product<double>& product, Compute& compute);

}  // namespace plinth::train
