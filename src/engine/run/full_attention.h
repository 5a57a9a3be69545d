// An encoder's attention: every token of a text attends to all of it. A text's keys and values go
// into pages of the thread's own, so that the kernels are those of paged attention.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "tensor/aligned_scratch.h"
#include "tensor/attention.h"

namespace plinth::engine {

// One text's rows in a pass.
struct TextRows {
  std::int64_t begin = 0;
  int tokens = 0;
};

// Keeps its scratch between calls. Not thread-safe.
class FullAttention {
 public:
  FullAttention(int heads, int head_width, tensor::Isa isa, tensor::KvType type,
                base::ThreadPool& pool);
  // qkv: [m, 3, heads, head_width]; out: [m, heads, head_width]. Each text and head is one task.
  void run(std::span<const TextRows> texts, const float* qkv, float* out);

 private:
  struct Scratch {
    std::vector<std::uint8_t> pages;
    std::vector<const void*> k, v;
    tensor::AlignedScratch<float> floats;
  };
  void attend(const TextRows& text, int head, const float* qkv, float* out, Scratch& scratch);

  const int heads_, head_width_;
  const tensor::AttentionKernels& kernels_;
  const std::size_t page_bytes_;
  base::ThreadPool& pool_;
  std::vector<Scratch> scratch_;  // by thread
};

}  // namespace plinth::engine
