// The first half of a layer: x += post_norm(o(attention(norm(x)))) over paged keys and values.
#pragma once

#include "engine/run/packed_layer.h"
#include "engine/run/paged_attention.h"
#include "engine/run/residual.h"
#include "engine/run/rope_table.h"
#include "engine/run/step.h"
#include "tensor/huge_allocator.h"
#include "tensor/linear.h"

namespace plinth::engine {

// Keeps its scratch between steps. Not thread-safe.
class AttentionHalf {
 public:
  AttentionHalf(const RunContext& context, KvPages& pages, tensor::Isa isa);

  // Before the first layer of a step.
  void begin(const Step& step);
  // Writes the step's keys and values into their pages.
  void run(const PackedLayer& layer, const Step& step, Residual& x);

 private:
  const RopeTable* rope_of(const PackedLayer& layer, const StepToken& token) const;
  // Bias, per-head norms and rope of one token; its keys and values go to their page.
  void finish_qkv(const PackedLayer& layer, const StepToken& token, float* row);

  const RunContext context_;
  PagedAttention attention_;
  RopeTable global_rope_, long_rope_, local_rope_;
  const int q_width_, kv_width_;
  tensor::Activations activations_;
  tensor::HugeFloats normed_, qkv_, attended_, out_;
};

}  // namespace plinth::engine
