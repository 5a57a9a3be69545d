#include "engine/run/attention_half.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace plinth::engine {

AttentionHalf::AttentionHalf(const RunContext& context, KvPages& pages, bool long_context)
    : context_(context),
      pages_(pages),
      global_rope_(context.spec.rope, long_context),
      local_rope_(context.spec.local_rope, long_context),
      q_width_(context.spec.heads * context.spec.head_width),
      kv_width_(context.spec.kv_heads * context.spec.head_width),
      scratch_(static_cast<std::size_t>(context.pool.size())) {}

void AttentionHalf::begin(const Step& step) {
  global_rope_.reserve(step.positions);
  local_rope_.reserve(step.positions);
}

void AttentionHalf::run(const PackedLayer& layer, const Step& step, float* x) {
  const auto& spec = context_.spec;
  auto& pool = context_.pool;
  const int m = step.size();
  const std::int64_t d = spec.width, ld = q_width_ + 2 * std::int64_t{kv_width_};
  normed_.resize(static_cast<std::size_t>(m * d));
  norm_rows(context_, x, layer.weights->attention_norm, m, normed_.data());
  qkv_.resize(static_cast<std::size_t>(m * ld));
  layer.qkv->prepare(normed_.data(), d, m, activations_, pool);
  layer.qkv->multiply(activations_, m, qkv_.data(), ld, pool);
  pool.parallel_for(m, 8, [&](std::int64_t begin, std::int64_t end) {
    for (auto t = begin; t < end; ++t) {
      finish_qkv(layer, step.tokens[static_cast<std::size_t>(t)], qkv_.data() + t * ld);
    }
  });
  attended_.resize(static_cast<std::size_t>(std::int64_t{m} * q_width_));
  const std::int64_t tasks = std::int64_t{m} * spec.kv_heads;
  std::atomic<std::int64_t> next{0};
  pool.run([&](int thread) {
    auto& scratch = scratch_[static_cast<std::size_t>(thread)];
    for (auto task = next.fetch_add(1); task < tasks; task = next.fetch_add(1)) {
      const auto t = static_cast<int>(task / spec.kv_heads);
      attend(layer, step.tokens[static_cast<std::size_t>(t)], t,
             static_cast<int>(task % spec.kv_heads), scratch);
    }
  });
  layer.o->prepare(attended_.data(), q_width_, m, activations_, pool);
  layer.o->multiply(activations_, m, normed_.data(), d, pool);
  const auto& bias = layer.weights->o_bias;
  for (int t = 0; t < m && !bias.empty(); ++t) {
    context_.ops.add(normed_.data() + t * d, bias.data(), d);
  }
  if (spec.post_norms) {
    norm_rows(context_, normed_.data(), layer.weights->attention_post_norm, m, normed_.data());
  }
  context_.ops.add(x, normed_.data(), m * d);
}

const RopeTable* AttentionHalf::rope_of(const PackedLayer& layer) const {
  if (layer.spec.rope == model::LayerRope::none) return nullptr;
  return layer.spec.rope == model::LayerRope::local ? &local_rope_ : &global_rope_;
}

void AttentionHalf::finish_qkv(const PackedLayer& layer, const StepToken& token, float* row) {
  const auto& spec = context_.spec;
  const auto& ops = context_.ops;
  const int e = spec.head_width;
  if (!layer.qkv_bias.empty()) {
    ops.add(row, layer.qkv_bias.data(), static_cast<std::int64_t>(layer.qkv_bias.size()));
  }
  const RopeTable* rope = rope_of(layer);
  for (int h = 0; h < spec.heads + spec.kv_heads; ++h) {
    float* head = row + h * e;
    const auto& norm = h < spec.heads ? layer.weights->q_norm : layer.weights->k_norm;
    if (!norm.empty()) ops.rms_norm(head, norm.data(), spec.norm_epsilon, e, head);
    if (rope != nullptr) {
      ops.rope(head, rope->cosine(token.position), rope->sine(token.position), rope->dimensions(),
               rope->half_split());
    }
  }
  const BlockId block =
      token.entry->blocks[static_cast<std::size_t>(token.position / kBlockTokens)];
  const int offset = token.position % kBlockTokens * e;
  float* keys = pages_.keys(layer.index, block) + offset;
  float* values = pages_.values(layer.index, block) + offset;
  for (int h = 0; h < spec.kv_heads; ++h) {
    const auto bytes = static_cast<std::size_t>(e) * sizeof(float);
    std::memcpy(keys + h * kBlockTokens * e, row + q_width_ + h * e, bytes);
    std::memcpy(values + h * kBlockTokens * e, row + q_width_ + kv_width_ + h * e, bytes);
  }
}

void AttentionHalf::attend(const PackedLayer& layer, const StepToken& token, int t, int kv_head,
                           Scratch& scratch) {
  const auto& spec = context_.spec;
  const int e = spec.head_width, group = spec.heads / spec.kv_heads;
  const int positions = token.position + 1;
  const int window = layer.spec.window;
  const int first = window > 0 ? std::max(0, positions - window) : 0;
  const int pages = (positions + kBlockTokens - 1) / kBlockTokens;
  scratch.k.resize(static_cast<std::size_t>(pages));
  scratch.v.resize(scratch.k.size());
  for (int i = first / kBlockTokens; i < pages; ++i) {
    const BlockId block = token.entry->blocks[static_cast<std::size_t>(i)];
    const int offset = kv_head * kBlockTokens * e;
    scratch.k[static_cast<std::size_t>(i)] = pages_.keys(layer.index, block) + offset;
    scratch.v[static_cast<std::size_t>(i)] = pages_.values(layer.index, block) + offset;
  }
  scratch.scores.resize(static_cast<std::size_t>(group) * static_cast<std::size_t>(pages) *
                        kBlockTokens);
  tensor::AttentionArgs args;
  args.q = qkv_.data() + std::int64_t{t} * (q_width_ + 2 * kv_width_) + kv_head * group * e;
  args.group = group;
  args.k_pages = scratch.k.data();
  args.v_pages = scratch.v.data();
  args.first = first;
  args.positions = positions;
  args.head_width = e;
  args.scale = spec.attention_scale;
  args.softcap = spec.attention_softcap;
  args.scores = scratch.scores.data();
  args.out = attended_.data() + std::int64_t{t} * q_width_ + kv_head * group * e;
  context_.ops.attention(args);
}

}  // namespace plinth::engine
