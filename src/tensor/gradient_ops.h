// The element-wise operations of training, forward where ops.h has none and backward, chosen for an
// instruction set by gradient_ops_for(). All fp32; whoever calls divides rows among threads.
#pragma once

#include <cstdint>

#include "tensor/isa.h"

namespace plinth::tensor {

// What a norm took from its row and multiplied it by.
struct NormUnit {
  float mean = 0, scale = 1;
};

// Every sum is made in a fixed order, so its bits depend on its own row alone.
struct GradientOps {
  // y = silu(x) * up, over n; up null = 1. Likewise gelu in the form with tanh.
  void (*silu)(const float* x, const float* up, std::int64_t n, float* y);
  void (*gelu_tanh)(const float* x, const float* up, std::int64_t n, float* y);
  // Adds what dy passes on to dx and dup, each of which may be null; dup is null where up is.
  void (*silu_back)(const float* x, const float* up, const float* dy, std::int64_t n, float* dx,
                    float* dup);
  void (*gelu_tanh_back)(const float* x, const float* up, const float* dy, std::int64_t n,
                         float* dx, float* dup);

  // row = softmax(shaped row), where x is shaped as scale * x, or cap * tanh(scale * x / cap) where
  // cap > 0. Returns the logarithm of the sum of the exponentials. n >= 1.
  float (*softmax)(float* row, std::int64_t n, float scale, float cap);
  // row, as softmax takes it, becomes its probabilities p; slope, the loss's by p, becomes the
  // loss's by row. mean: the sum of p * slope over the row.
  void (*softmax_back)(float* row, float* slope, std::int64_t n, float scale, float cap,
                       float log_sum, float mean);
  // The logarithm of the sum of exponentials, and where the largest is, the first of equals. Within
  // 1e-6 of the sum for a vocabulary of any size. n >= 1.
  double (*log_sum_exp)(const float* row, std::int64_t n, std::int64_t& largest);
  // row = factor * exp(row - log_sum).
  void (*probabilities)(float* row, std::int64_t n, float log_sum, float factor);

  // y = (x - mean) * scale * w + b, over n. The mean is 0 unless centred; b may be null.
  NormUnit (*norm)(const float* x, const float* w, const float* b, float epsilon, bool centred,
                   std::int64_t n, float* y);
  // dx += what dy passes on through a norm whose row had `unit`.
  void (*norm_back)(const float* x, const float* w, const float* dy, NormUnit unit, bool centred,
                    std::int64_t n, float* dx);

  float (*dot)(const float* a, const float* b, std::int64_t n);
  // y += factor * x, over n.
  void (*add_scaled)(float factor, const float* x, std::int64_t n, float* y);
};

const GradientOps& gradient_ops_for(Isa isa);

}  // namespace plinth::tensor
