// Steps down a gradient.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>

#include "base/thread_pool.h"
#include "train/parameters.h"
#include "train/stretches.h"

namespace plinth::train {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weight_decay = 0.1;  // of the parameters that decay
  // Moments are kept in BF16, rounded up or down by chance, so that small changes add up on
  // average: 8 bytes of a weight's 16 become 4.
  bool short_moments = false;
  std::uint64_t seed = 1;  // of that chance
};

// Moments, in one of two forms. T: what they are computed in.
template <typename T>
class MomentArray {
 public:
  void resize(std::int64_t size, bool is_short) {
    (is_short ? short_.resize(static_cast<std::size_t>(size))
              : plain_.resize(static_cast<std::size_t>(size)));
    size_ = size;
  }
  std::int64_t size() const { return size_; }
  // Null where they are short.
  T* plain() { return plain_.empty() ? nullptr : plain_.data(); }
  void load(std::int64_t begin, std::int64_t end, T* out) const;
  // chance: what is drawn for the first number; the next has chance + 1.
  void store(std::int64_t begin, std::int64_t end, const T* from, std::uint64_t chance);

 private:
  Numbers<T> plain_;
  Numbers<std::uint16_t> short_;
  std::int64_t size_ = 0;
};

// Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, with PyTorch's order of
// operations. Of each parameter a rank steps its own stretch, and has moments for no other:
// Rajbhandari et al., "ZeRO", 2020, stage 1. Not thread-safe.
template <typename T>
class AdamW {
 public:
  // `parameters` outlives it. leaves_out: those that learn in another way.
  AdamW(Parameters<T>& parameters, const AdamWOptions& options, const Place& place = {},
        const std::function<bool(const Parameter<T>&)>& leaves_out = nullptr);

  // One step for all that learn. gradient_factor: what their gradients are multiplied by first,
  // where they were clipped.
  void step(double learning_rate, double gradient_factor, base::ThreadPool& threads);

  std::int64_t steps() const { return steps_; }

  // What a run that goes on needs beside the weights.
  struct Moments {
    Parameter<T>* parameter = nullptr;
    Stretch own;                   // of its numbers
    MomentArray<T> first, second;  // of those
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

extern template class MomentArray<float>;
extern template class MomentArray<double>;
extern template class AdamW<float>;
extern template class AdamW<double>;

}  // namespace plinth::train
