// The residual stream of a step. The output of a half-layer, the branch, is added to it by whoever
// reads the stream next, row by row: the row is then in that thread's cache, and the addition needs
// no loop of its own.
#pragma once

#include <vector>

#include "engine/run/step.h"
#include "tensor/huge_allocator.h"

namespace plinth::engine {

class Residual {
 public:
  explicit Residual(const RunContext& context) : context_(context) {}

  // [m, width], to be filled. No branch is left.
  float* begin(int m);
  // The branch is post_norm(rows + bias). rows: [m, width], which stays until it was read, and may
  // be overwritten; bias may be empty, post_norm null.
  void add_later(float* rows, const std::vector<float>& bias, const model::NormWeights* post_norm);
  // y = norm(row t with its branch). Once for each row and branch; different rows by any threads.
  void norm(int t, const model::NormWeights& weights, float* y);

 private:
  void norm_row(const float* x, const model::NormWeights& weights, float* y) const;

  const RunContext context_;
  tensor::HugeFloats stream_;
  float* branch_ = nullptr;
  const std::vector<float>* bias_ = nullptr;
  const model::NormWeights* post_norm_ = nullptr;
};

}  // namespace plinth::engine
