#include "engine/run/full_attention.h"

#include <cmath>

#include "base/units.h"
#include "tensor/ops.h"

namespace plinth::engine {

FullAttention::FullAttention(int heads, int head_width, tensor::Isa isa, tensor::KvType type,
                             base::ThreadPool& pool)
    : heads_(heads),
      head_width_(head_width),
      kernels_(tensor::bulk_attention_kernels(isa, type)),
      page_bytes_(tensor::kv_page_bytes(type, head_width)),
      pool_(pool),
      scratch_(static_cast<std::size_t>(pool.size())) {}

void FullAttention::run(std::span<const TextRows> texts, const float* qkv, float* out) {
  const auto tasks = static_cast<std::int64_t>(texts.size()) * heads_;
  pool_.parallel_for_threads(tasks, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    for (auto i = begin; i < end; ++i) {
      attend(texts[static_cast<std::size_t>(i / heads_)], static_cast<int>(i % heads_), qkv, out,
             scratch_[static_cast<std::size_t>(thread)]);
    }
  });
}

void FullAttention::attend(const TextRows& text, int head, const float* qkv, float* out,
                           Scratch& scratch) {
  const std::int64_t width = std::int64_t{heads_} * head_width_;
  tensor::AttentionRun run;
  run.ldq = 3 * width;
  run.ldo = width;
  run.q = qkv + text.begin * run.ldq + head * head_width_;
  run.out = out + text.begin * run.ldo + head * head_width_;
  run.tokens = text.tokens;
  run.causal = false;
  run.head_width = head_width_;
  run.scale = 1.0f / std::sqrt(static_cast<float>(head_width_));
  const auto pages = static_cast<std::size_t>(base::ceil_div(text.tokens, tensor::kPageTokens));
  if (scratch.pages.size() < 2 * pages * page_bytes_) scratch.pages.resize(2 * pages * page_bytes_);
  scratch.k.resize(pages);
  scratch.v.resize(pages);
  for (std::size_t page = 0; page < pages; ++page) {
    std::uint8_t* keys = scratch.pages.data() + 2 * page * page_bytes_;
    std::uint8_t* values = keys + page_bytes_;
    scratch.k[page] = keys;
    scratch.v[page] = values;
    const int first = static_cast<int>(page) * tensor::kPageTokens;
    for (int slot = 0; slot < tensor::kPageTokens && first + slot < text.tokens; ++slot) {
      const float* key = run.q + (first + slot) * run.ldq + width;
      kernels_.store(key, key + width, head_width_, slot, keys, values);
    }
  }
  const auto floats = tensor::attention_scratch_floats(run.tokens, run.group, head_width_);
  run.k_pages = scratch.k.data();
  run.v_pages = scratch.v.data();
  run.scratch = scratch.floats.reserve(floats);
  kernels_.attend(run);
}

}  // namespace plinth::engine
