// Steps down a gradient.
#pragma once

#include <cstdint>
#include <deque>

#include "base/thread_pool.h"
#include "train/parameters.h"
#include "train/stretches.h"

namespace plinth::train {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weight_decay = 0.1;  // of the parameters that decay
};

// Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, with PyTorch's order of
// operations. Of each parameter a rank steps its own stretch, and has moments for no other:
// Rajbhandari et al., "ZeRO", 2020, stage 1. Not thread-safe.
template <typename T>
class AdamW {
 public:
  // `parameters` outlives it.
  AdamW(Parameters<T>& parameters, const AdamWOptions& options, const Place& place = {});

  // One step for all that learn. gradient_factor: what their gradients are multiplied by first,
  // where they were clipped.
  void step(double learning_rate, double gradient_factor, base::ThreadPool& threads);

  std::int64_t steps() const { return steps_; }

  // What a run that goes on needs beside the weights.
  struct Moments {
    Parameter<T>* parameter = nullptr;
    Stretch own;               // of its numbers
    Numbers<T> first, second;  // of those
  };
  std::deque<Moments>& moments() { return moments_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

 private:
  const AdamWOptions options_;
  std::deque<Moments> moments_;
  std::int64_t steps_ = 0;
};

// The sum over all gradients in the rank's stretches, in fp64 and one fixed order.
template <typename T>
double gradient_squares(const Parameters<T>& parameters, const Place& place,
                        base::ThreadPool& threads);

extern template class AdamW<float>;
extern template class AdamW<double>;

}  // namespace plinth::train
