// Attention of one step's tokens over the pages of their sequences, shared out among the threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/run/kv_pages.h"
#include "engine/run/packed_layer.h"
#include "engine/run/step.h"
#include "tensor/aligned_scratch.h"
#include "tensor/attention.h"

namespace plinth::engine {

// Keeps its scratch between steps. Not thread-safe.
class PagedAttention {
 public:
  PagedAttention(const RunContext& context, KvPages& pages, tensor::Isa isa);

  // Before the first layer of a step.
  void begin(const Step& step);
  // Keeps one token's keys and values [kv_heads * head_width] in their pages.
  void store(const PackedLayer& layer, const StepToken& token, const float* keys,
             const float* values);
  // q: [step.size(), heads * head_width] with leading dimension ldq; out alike, without gaps. The
  // step's own keys and values have been stored.
  void run(const PackedLayer& layer, const Step& step, const float* q, std::int64_t ldq,
           float* out);

 private:
  // Consecutive tokens of one entry, which read each page of keys and values together.
  struct Run {
    int first, tokens;  // of the step
  };
  // One kv head of one run, or one span of it.
  struct Task {
    int run, kv_head, span;
    std::size_t sums;  // where in sums_ those of the span lie, or of the first span
  };
  // Of one thread.
  struct Scratch {
    std::vector<const void*> k, v;  // by page
    tensor::AlignedScratch<float> floats;
  };
  // What all tasks of one run() share.
  struct Call {
    const PackedLayer& layer;
    const Step& step;
    const float* q;
    std::int64_t ldq;
    float* out;
  };

  template <typename Body>
  void for_each(std::span<const Task> tasks, const Body& body);
  // The kernel's arguments but for pages and scratch.
  tensor::AttentionRun shape(const Call& call, const Run& run, int kv_head) const;
  const tensor::AttentionKernels& kernels_of(const Call& call, const Task& task) const {
    const bool prompt = runs_[static_cast<std::size_t>(task.run)].first >= call.step.prompts_from;
    return prompt ? prompt_kernels_ : kernels_;
  }
  tensor::AttentionRun prepare(const Call& call, const Task& task, Scratch& scratch) const;
  // Fills wholes_, and spans_ where the runs alone would leave threads idle.
  void plan(const Call& call);

  const RunContext context_;
  KvPages& pages_;
  const tensor::AttentionKernels& kernels_;
  const tensor::AttentionKernels& prompt_kernels_;  // of rows from Step::prompts_from on
  std::vector<Run> runs_;                           // of this step
  std::vector<Task> wholes_, spans_;                // of this layer
  std::vector<float> sums_;                         // of spans_
  std::vector<Scratch> scratch_;                    // by thread
};

}  // namespace plinth::engine
