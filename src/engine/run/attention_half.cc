#include "engine/run/attention_half.h"

#include "engine/run/adapted_rows.h"

namespace plinth::engine {

AttentionHalf::AttentionHalf(const RunContext& context, KvPages& pages, tensor::Isa isa)
    : context_(context),
      attention_(context, pages, isa),
      global_rope_(context.spec.rope, context.spec.rope.frequencies),
      long_rope_(context.spec.rope, context.spec.rope.long_frequencies),
      local_rope_(context.spec.local_rope, context.spec.local_rope.frequencies),
      q_width_(context.spec.heads * context.spec.head_width),
      kv_width_(context.spec.kv_heads * context.spec.head_width) {}

void AttentionHalf::begin(const Step& step) {
  global_rope_.reserve(step.positions);
  long_rope_.reserve(step.positions);
  local_rope_.reserve(step.positions);
  attention_.begin(step);
}

void AttentionHalf::run(const PackedLayer& layer, const Step& step, Residual& x) {
  const auto& spec = context_.spec;
  const auto& weights = *layer.weights;
  auto& pool = context_.pool;
  const int m = step.size();
  const std::int64_t d = spec.width;
  const auto ld = tensor::row_stride(q_width_ + 2 * std::int64_t{kv_width_});
  normed_.resize(static_cast<std::size_t>(m * d));
  out_.resize(normed_.size());
  qkv_.resize(static_cast<std::size_t>(m * ld));
  layer.qkv->prepare_made(normed_.data(), d, step.rows(), activations_, pool, [&](int t) {
    x.norm(t, weights.attention_norm, normed_.data() + t * d);
  });
  layer.qkv->multiply(activations_, m, qkv_.data(), ld, pool);
  add_adapted(context_, layer.index, AdaptedInput::attention, normed_.data(), d, qkv_.data(), ld);
  pool.parallel_for(m, 8, [&](std::int64_t begin, std::int64_t end) {
    for (auto t = begin; t < end; ++t) {
      finish_qkv(layer, step.tokens[static_cast<std::size_t>(t)], qkv_.data() + t * ld);
    }
  });
  attended_.resize(static_cast<std::size_t>(std::int64_t{m} * q_width_));
  attention_.run(layer, step, qkv_.data(), ld, attended_.data());
  layer.o->prepare(attended_.data(), q_width_, step.rows(), activations_, pool);
  layer.o->multiply(activations_, m, out_.data(), d, pool);
  add_adapted(context_, layer.index, AdaptedInput::attended, attended_.data(), q_width_,
              out_.data(), d);
  x.add_later(out_.data(), weights.o_bias,
              spec.post_norms ? &weights.attention_post_norm : nullptr);
}

const RopeTable* AttentionHalf::rope_of(const PackedLayer& layer, const StepToken& token) const {
  if (layer.spec.rope == model::LayerRope::none) return nullptr;
  if (layer.spec.rope == model::LayerRope::local) return &local_rope_;
  return token.entry->long_rope ? &long_rope_ : &global_rope_;
}

void AttentionHalf::finish_qkv(const PackedLayer& layer, const StepToken& token, float* row) {
  const auto& spec = context_.spec;
  const auto& ops = context_.ops;
  const int e = spec.head_width;
  if (!layer.qkv_bias.empty()) {
    ops.add(row, layer.qkv_bias.data(), static_cast<std::int64_t>(layer.qkv_bias.size()));
  }
  const RopeTable* rope = rope_of(layer, token);
  for (int h = 0; h < spec.heads + spec.kv_heads; ++h) {
    float* head = row + h * e;
    const auto& norm = h < spec.heads ? layer.weights->q_norm : layer.weights->k_norm;
    if (!norm.empty()) ops.rms_norm(head, norm.data(), spec.norm_epsilon, e, head);
    if (rope != nullptr) {
      ops.rope(head, rope->cosine(token.position), rope->sine(token.position), rope->dimensions(),
               rope->half_split());
    }
  }
  attention_.store(layer, token, row + q_width_, row + q_width_ + kv_width_);
}

}  // namespace plinth::engine
