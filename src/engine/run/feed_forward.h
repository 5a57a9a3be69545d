// down(act(gate x) * up x) or down(act(up x)) of some rows, with the scratch that it needs.
#pragma once

#include <vector>

#include "engine/run/packed_layer.h"
#include "engine/run/step.h"
#include "tensor/huge_allocator.h"
#include "tensor/linear.h"

namespace plinth::engine {

// Keeps its scratch between calls. Not thread-safe.
class FeedForward {
 public:
  explicit FeedForward(const RunContext& context) : context_(context) {}
  // x, y: [rows.count, width]; x may be y. A row of y depends on its own row of x alone, to the
  // bit, which make_row makes as PackedLinear::prepare_made says.
  void run(const PackedFeedForward& weights, const float* x, tensor::Rows rows, float* y,
           absl::FunctionRef<void(int row)> make_row);

 private:
  void add_bias(const std::vector<float>& bias, std::int64_t first, std::int64_t count,
                float* row) const;
  void activate(float* row, const float* up, std::int64_t count) const;
  const RunContext context_;
  tensor::Activations activations_, inner_activations_;
  tensor::HugeFloats inner_;
};

}  // namespace plinth::engine
