// The first half of a layer: x += post_norm(o(attention(norm(x)))) over paged keys and values.
#pragma once

#include <vector>

#include "engine/run/kv_pages.h"
#include "engine/run/packed_layer.h"
#include "engine/run/rope_table.h"
#include "engine/run/step.h"
#include "tensor/attention.h"
#include "tensor/linear.h"

namespace plinth::engine {

// Keeps its scratch between steps. Not thread-safe.
class AttentionHalf {
 public:
  AttentionHalf(const RunContext& context, KvPages& pages, tensor::Isa isa);

  // Before the first layer of a step.
  void begin(const Step& step);
  // x: [step.size(), width], in place. Writes the step's keys and values into their pages.
  void run(const PackedLayer& layer, const Step& step, float* x);

 private:
  // Consecutive tokens of one entry, which read each page of keys and values together.
  struct Run {
    int first, tokens;  // of the step
  };
  // Of one thread.
  struct Scratch {
    std::vector<const void*> k, v;  // by page
    std::vector<float> floats;
  };

  const RopeTable* rope_of(const PackedLayer& layer, const StepToken& token) const;
  // Bias, per-head norms and rope of one token; its keys and values go to their page.
  void finish_qkv(const PackedLayer& layer, const StepToken& token, float* row);
  void attend(const PackedLayer& layer, const Step& step, const Run& run, int kv_head,
              Scratch& scratch);
  void attend_all(const PackedLayer& layer, const Step& step);

  const RunContext context_;
  KvPages& pages_;
  const tensor::AttentionKernels& kernels_;
  RopeTable global_rope_, long_rope_, local_rope_;
  const int q_width_, kv_width_;
  tensor::Activations activations_;
  std::vector<float> normed_, qkv_, attended_;
  std::vector<Run> runs_;         // of this step
  std::vector<Scratch> scratch_;  // by thread
};

}  // namespace plinth::engine
