#include "engine/run/attention_half.h"

#include <algorithm>
#include <atomic>

namespace plinth::engine {

namespace {

// Tokens that share one pass over the keys and values: with the query heads of a kv head enough
// rows to use each page well, and enough runs of a prompt to keep the threads busy.
constexpr int kRunTokens = 32;

}  // namespace

AttentionHalf::AttentionHalf(const RunContext& context, KvPages& pages, tensor::Isa isa)
    : context_(context),
      pages_(pages),
      kernels_(tensor::attention_kernels(isa, pages.type())),
      global_rope_(context.spec.rope, context.spec.rope.frequencies),
      long_rope_(context.spec.rope, context.spec.rope.long_frequencies),
      local_rope_(context.spec.local_rope, context.spec.local_rope.frequencies),
      q_width_(context.spec.heads * context.spec.head_width),
      kv_width_(context.spec.kv_heads * context.spec.head_width),
      scratch_(static_cast<std::size_t>(context.pool.size())) {}

void AttentionHalf::begin(const Step& step) {
  global_rope_.reserve(step.positions);
  long_rope_.reserve(step.positions);
  local_rope_.reserve(step.positions);
  runs_.clear();
  for (int t = 0; t < step.size(); ++t) {
    const auto& token = step.tokens[static_cast<std::size_t>(t)];
    if (!runs_.empty() && runs_.back().tokens < kRunTokens &&
        step.tokens[static_cast<std::size_t>(t) - 1].entry == token.entry) {
      ++runs_.back().tokens;
    } else {
      runs_.push_back({t, 1});
    }
  }
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
  attend_all(layer, step);
  layer.o->prepare(attended_.data(), q_width_, m, activations_, pool);
  layer.o->multiply(activations_, m, normed_.data(), d, pool);
  const auto& bias = layer.weights->o_bias;
  for (int t = 0; t < m && !bias.empty(); ++t) {
    context_.ops.add(normed_.data() + t * d, bias.data(), d);
  }
  if (spec.post_norms) {
    norm_rows(context_, normed_.data(), layer.weights->attention_post_norm, m, normed_.data());
  }
  add_rows(context_, normed_.data(), m, x);
}

void AttentionHalf::attend_all(const PackedLayer& layer, const Step& step) {
  const int kv_heads = context_.spec.kv_heads;
  const auto tasks = static_cast<std::int64_t>(runs_.size()) * kv_heads;
  std::atomic<std::int64_t> next{0};
  context_.pool.run([&](int thread) {
    auto& scratch = scratch_[static_cast<std::size_t>(thread)];
    for (auto task = next.fetch_add(1); task < tasks; task = next.fetch_add(1)) {
      // The last runs of a prompt attend to most: they go first.
      const auto& run = runs_[static_cast<std::size_t>((tasks - 1 - task) / kv_heads)];
      attend(layer, step, run, static_cast<int>(task % kv_heads), scratch);
    }
  });
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
  const BlockId block =
      token.entry->blocks[static_cast<std::size_t>(token.position / kBlockTokens)];
  for (int h = 0; h < spec.kv_heads; ++h) {
    kernels_.store(row + q_width_ + h * e, row + q_width_ + kv_width_ + h * e, e,
                   token.position % kBlockTokens, pages_.keys(layer.index, block, h),
                   pages_.values(layer.index, block, h));
  }
}

void AttentionHalf::attend(const PackedLayer& layer, const Step& step, const Run& run, int kv_head,
                           Scratch& scratch) {
  const auto& spec = context_.spec;
  const int e = spec.head_width, group = spec.heads / spec.kv_heads;
  const auto& token = step.tokens[static_cast<std::size_t>(run.first)];
  const int window = layer.spec.window;
  const int first = window > 0 ? std::max(0, token.position + 1 - window) : 0;
  const int pages = (token.position + run.tokens + kBlockTokens - 1) / kBlockTokens;
  scratch.k.resize(static_cast<std::size_t>(pages));
  scratch.v.resize(scratch.k.size());
  for (int i = first / kBlockTokens; i < pages; ++i) {
    const BlockId block = token.entry->blocks[static_cast<std::size_t>(i)];
    scratch.k[static_cast<std::size_t>(i)] = pages_.keys(layer.index, block, kv_head);
    scratch.v[static_cast<std::size_t>(i)] = pages_.values(layer.index, block, kv_head);
  }
  const auto floats = tensor::attention_scratch_floats(run.tokens, group, e);
  if (scratch.floats.size() < floats) scratch.floats.resize(floats);
  tensor::AttentionRun args;
  args.ldq = q_width_ + 2 * std::int64_t{kv_width_};
  args.ldo = q_width_;
  args.q = qkv_.data() + run.first * args.ldq + kv_head * group * e;
  args.out = attended_.data() + run.first * args.ldo + kv_head * group * e;
  args.tokens = run.tokens;
  args.position = token.position;
  args.window = window;
  args.group = group;
  args.head_width = e;
  args.scale = spec.attention_scale;
  args.softcap = spec.attention_softcap;
  args.k_pages = scratch.k.data();
  args.v_pages = scratch.v.data();
  args.scratch = scratch.floats.data();
  kernels_.attend(args);
}

}  // namespace plinth::engine
