// Steps down a gradient.
#pragma once

#include <cstdint>
#include <deque>

#include "base/thread_pool.h"
#include "train/parameters.h"

namespace plinth::train {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weight_decay = 0.1;  // of the parameters that decay
};

// Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, with PyTorch's order of
// operations. Not thread-safe.
template <typename T>
class AdamW {
 public:
  // `parameters` outlives it.
  AdamW(Parameters<T>& parameters, const AdamWOptions& options);

  // One step for all that learn. gradient_factor: what their gradients are multiplied by first,
  // where they were clipped.
  void step(double learning_rate, double gradient_factor, base::ThreadPool& threads);

  std::int64_t steps() const { return steps_; }

  // What a run that goes on needs beside the weights.
  struct Moments {
    Parameter<T>* parameter = nullptr;
    Numbers<T> first, second;  // as its value
  };
  std::deque<Moments>& moments() { return moments_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

 private:
  const AdamWOptions options_;
  std::deque<Moments> moments_;
  std::int64_t steps_ = 0;
};

// Of all gradients together, in fp64 and one fixed order.
template <typename T>
double gradient_norm(const Parameters<T>& parameters, base::ThreadPool& threads);

extern template class AdamW<float>;
extern template class AdamW<double>;

}  // namespace plinth::train
