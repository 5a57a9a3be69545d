#include "engine/model_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "engine/run/rope_table.h"
#include "tensor/ops.h"

namespace plinth::engine {

namespace {

using tensor::MatrixView;
using tensor::PackedLinear;

static_assert(kBlockTokens == tensor::kPageTokens);

struct Layer {
  const model::LayerWeights* weights = nullptr;
  std::unique_ptr<PackedLinear> qkv, o, gate_up, down;
  std::vector<float> qkv_bias;  // [q + k + v], or empty
};

// One token of the batch.
struct Token {
  std::int32_t position;
  const BatchEntry* entry;
};

struct Free {
  void operator()(float* memory) const { std::free(memory); }
};

class ModelRunner final : public Runner {
 public:
  ModelRunner(std::unique_ptr<model::ModelFile> file, const ModelRunnerOptions& options)
      : file_(std::move(file)),
        spec_(file_->spec),
        options_(options),
        ops_(tensor::ops_for(options.isa)),
        pool_(options.threads),
        rope_(spec_.rope),
        q_width_(spec_.heads * spec_.head_width),
        kv_width_(spec_.kv_heads * spec_.head_width),
        scratch_(static_cast<std::size_t>(options.threads)) {}

  absl::Status pack() {
    const tensor::LinearOptions linear{options_.isa, options_.mode};
    const auto one = [&](const MatrixView& w) { return tensor::pack_linear({&w, 1}, linear); };
    for (const auto& w : file_->weights.layers) {
      Layer layer;
      layer.weights = &w;
      const MatrixView qkv[] = {w.q, w.k, w.v};
      const MatrixView gate_up[] = {w.gate, w.up};
      ASSIGN_OR_RETURN(layer.qkv, tensor::pack_linear(qkv, linear));
      ASSIGN_OR_RETURN(layer.o, one(w.o));
      ASSIGN_OR_RETURN(layer.gate_up, tensor::pack_linear(gate_up, linear));
      ASSIGN_OR_RETURN(layer.down, one(w.down));
      for (const auto* bias : {&w.q_bias, &w.k_bias, &w.v_bias}) {
        layer.qkv_bias.insert(layer.qkv_bias.end(), bias->begin(), bias->end());
      }
      layers_.push_back(std::move(layer));
    }
    ASSIGN_OR_RETURN(head_, one(file_->weights.head));
    info_.vocab_size = spec_.vocab;
    info_.context_tokens_max = spec_.context;
    info_.kv_block_bytes = page_floats() * 2 * static_cast<std::size_t>(spec_.layers) * 4;
    info_.fingerprint = fmt::format("fp_{}_{}_{}", file_->quantization,
                                    tensor::isa_name(options_.isa), file_->parameters);
    return absl::OkStatus();
  }

  const RunnerInfo& info() const override { return info_; }

  absl::Status allocate_kv(std::int32_t blocks) override {
    if (blocks < 1) return base::invalid_argument("[runner] no room for a single KV page");
    blocks_ = blocks;
    // calloc: pages of memory are zero and cost nothing until they are written.
    kv_.reset(
        static_cast<float*>(std::calloc(static_cast<std::size_t>(blocks), info_.kv_block_bytes)));
    if (kv_ == nullptr) return base::resource_exhausted("[runner] no memory for the KV pages");
    return absl::OkStatus();
  }

  absl::Status forward(std::span<const BatchEntry> batch, std::span<const float>& logits) override {
    RETURN_IF_ERROR(plan(batch));
    const auto m = static_cast<int>(tokens_.size());
    const std::int64_t d = spec_.width;
    x_.resize(static_cast<std::size_t>(m * d));
    h_.resize(x_.size());
    tensor::gather_rows(file_->weights.embedding, ids_, x_.data());
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      attention_half(layers_[i], static_cast<int>(i), m);
      feed_forward_half(layers_[i], m);
    }
    return project(batch, logits);
  }

  void clear_blocks(std::span<const BlockId> blocks) override {
    for (const BlockId block : blocks) {
      for (int layer = 0; layer < spec_.layers; ++layer) {
        std::fill_n(page(layer, block, 0), page_floats() * 2, 0.0f);
      }
    }
  }

 private:
  std::size_t page_floats() const { return static_cast<std::size_t>(kBlockTokens * kv_width_); }
  // which: 0 = keys, 1 = values. [kv_heads, kBlockTokens, head_width]
  float* page(int layer, BlockId block, int which) {
    const auto index = (static_cast<std::size_t>(layer) * static_cast<std::size_t>(blocks_) +
                        static_cast<std::size_t>(block.value())) *
                           2 +
                       static_cast<std::size_t>(which);
    return kv_.get() + index * page_floats();
  }

  absl::Status plan(std::span<const BatchEntry> batch) {
    tokens_.clear();
    ids_.clear();
    int furthest = 0;
    for (const auto& entry : batch) {
      const auto end = entry.position + static_cast<std::int32_t>(entry.tokens.size());
      CHECK(static_cast<std::int64_t>(entry.blocks.size()) * kBlockTokens >= end);
      for (const auto block : entry.blocks) CHECK(block.value() >= 0 && block.value() < blocks_);
      furthest = std::max(furthest, end);
      for (std::size_t i = 0; i < entry.tokens.size(); ++i) {
        if (entry.tokens[i] < 0 || entry.tokens[i] >= spec_.vocab) {
          return base::invalid_argument(fmt::format("token {} is outside the vocabulary of {}",
                                                    entry.tokens[i], spec_.vocab));
        }
        ids_.push_back(entry.tokens[i]);
        tokens_.push_back({entry.position + static_cast<std::int32_t>(i), &entry});
      }
    }
    rope_.reserve(furthest);
    return absl::OkStatus();
  }

  void norm_rows(const float* x, const std::vector<float>& w, int m, float* y) {
    pool_.parallel_for(m, 16, [&](std::int64_t begin, std::int64_t end) {
      for (auto t = begin; t < end; ++t) {
        ops_.rms_norm(x + t * spec_.width, w.data(), spec_.norm_epsilon, spec_.width,
                      y + t * spec_.width);
      }
    });
  }

  void attention_half(const Layer& layer, int index, int m) {
    const std::int64_t ld = q_width_ + 2 * kv_width_;
    norm_rows(x_.data(), layer.weights->attention_norm, m, h_.data());
    qkv_.resize(static_cast<std::size_t>(m * ld));
    layer.qkv->prepare(h_.data(), spec_.width, m, activations_, pool_);
    layer.qkv->multiply(activations_, m, qkv_.data(), ld, pool_);
    pool_.parallel_for(m, 8, [&](std::int64_t begin, std::int64_t end) {
      for (auto t = begin; t < end; ++t) finish_qkv(layer, index, static_cast<int>(t));
    });
    attended_.resize(static_cast<std::size_t>(m * q_width_));
    const std::int64_t tasks = std::int64_t{m} * spec_.kv_heads;
    std::atomic<std::int64_t> next{0};
    pool_.run([&](int thread) {
      auto& scratch = scratch_[static_cast<std::size_t>(thread)];
      for (auto task = next.fetch_add(1); task < tasks; task = next.fetch_add(1)) {
        attend(index, static_cast<int>(task / spec_.kv_heads),
               static_cast<int>(task % spec_.kv_heads), scratch);
      }
    });
    layer.o->prepare(attended_.data(), q_width_, m, activations_, pool_);
    layer.o->multiply(activations_, m, h_.data(), spec_.width, pool_);
    ops_.add(x_.data(), h_.data(), std::int64_t{m} * spec_.width);
  }

  // Bias, per-head norms and rope of one token; its keys and values go to their page.
  void finish_qkv(const Layer& layer, int index, int t) {
    float* row = qkv_.data() + std::int64_t{t} * (q_width_ + 2 * kv_width_);
    const Token& token = tokens_[static_cast<std::size_t>(t)];
    const int e = spec_.head_width;
    if (!layer.qkv_bias.empty()) {
      ops_.add(row, layer.qkv_bias.data(), static_cast<std::int64_t>(layer.qkv_bias.size()));
    }
    const float* cosine = rope_.cosine(token.position);
    const float* sine = rope_.sine(token.position);
    for (int h = 0; h < spec_.heads + spec_.kv_heads; ++h) {
      float* head = row + h * e;
      const auto& norm = h < spec_.heads ? layer.weights->q_norm : layer.weights->k_norm;
      if (!norm.empty()) ops_.rms_norm(head, norm.data(), spec_.norm_epsilon, e, head);
      ops_.rope(head, cosine, sine, spec_.rope.dimensions, spec_.rope.half_split);
    }
    const BlockId block =
        token.entry->blocks[static_cast<std::size_t>(token.position / kBlockTokens)];
    for (int which = 0; which < 2; ++which) {
      const float* from = row + q_width_ + which * kv_width_;
      float* to = page(index, block, which) + token.position % kBlockTokens * e;
      for (int h = 0; h < spec_.kv_heads; ++h) {
        std::memcpy(to + h * kBlockTokens * e, from + h * e, static_cast<std::size_t>(e) * 4);
      }
    }
  }

  struct Scratch {
    std::vector<const float*> k, v;
    std::vector<float> scores;
  };

  void attend(int index, int t, int kv_head, Scratch& scratch) {
    const Token& token = tokens_[static_cast<std::size_t>(t)];
    const int e = spec_.head_width, group = spec_.heads / spec_.kv_heads;
    const int positions = token.position + 1;
    const int pages = (positions + kBlockTokens - 1) / kBlockTokens;
    scratch.k.resize(static_cast<std::size_t>(pages));
    scratch.v.resize(scratch.k.size());
    for (int i = 0; i < pages; ++i) {
      const BlockId block = token.entry->blocks[static_cast<std::size_t>(i)];
      const int offset = kv_head * kBlockTokens * e;
      scratch.k[static_cast<std::size_t>(i)] = page(index, block, 0) + offset;
      scratch.v[static_cast<std::size_t>(i)] = page(index, block, 1) + offset;
    }
    scratch.scores.resize(static_cast<std::size_t>(group * pages * kBlockTokens));
    tensor::AttentionArgs args;
    args.q = qkv_.data() + std::int64_t{t} * (q_width_ + 2 * kv_width_) + kv_head * group * e;
    args.group = group;
    args.k_pages = scratch.k.data();
    args.v_pages = scratch.v.data();
    args.positions = positions;
    args.head_width = e;
    args.scale = 1.0f / std::sqrt(static_cast<float>(e));
    args.scores = scratch.scores.data();
    args.out = attended_.data() + std::int64_t{t} * q_width_ + kv_head * group * e;
    ops_.attention(args);
  }

  void feed_forward_half(const Layer& layer, int m) {
    const std::int64_t ff = spec_.ff_width;
    norm_rows(x_.data(), layer.weights->ffn_norm, m, h_.data());
    gate_up_.resize(static_cast<std::size_t>(m * 2 * ff));
    layer.gate_up->prepare(h_.data(), spec_.width, m, activations_, pool_);
    layer.gate_up->multiply(activations_, m, gate_up_.data(), 2 * ff, pool_);
    pool_.parallel_for(m, 4, [&](std::int64_t begin, std::int64_t end) {
      for (auto t = begin; t < end; ++t) {
        ops_.silu_mul(gate_up_.data() + t * 2 * ff, gate_up_.data() + t * 2 * ff + ff, ff);
      }
    });
    layer.down->prepare(gate_up_.data(), 2 * ff, m, activations_, pool_);
    layer.down->multiply(activations_, m, h_.data(), spec_.width, pool_);
    ops_.add(x_.data(), h_.data(), std::int64_t{m} * spec_.width);
  }

  // Only the rows whose logits are wanted go through the head.
  absl::Status project(std::span<const BatchEntry> batch, std::span<const float>& logits) {
    const std::int64_t d = spec_.width;
    int wanted = 0;
    std::int64_t row = 0;
    for (const auto& entry : batch) {
      const auto size = static_cast<std::int64_t>(entry.tokens.size());
      CHECK(entry.logits >= 0 && entry.logits <= size);
      for (auto i = size - entry.logits; i < size; ++i, ++wanted) {
        std::memmove(x_.data() + wanted * d, x_.data() + (row + i) * d,
                     static_cast<std::size_t>(d) * 4);
      }
      row += size;
    }
    logits_.resize(static_cast<std::size_t>(wanted) * static_cast<std::size_t>(spec_.vocab));
    if (wanted > 0) {
      norm_rows(x_.data(), file_->weights.final_norm, wanted, h_.data());
      head_->prepare(h_.data(), d, wanted, activations_, pool_);
      head_->multiply(activations_, wanted, logits_.data(), spec_.vocab, pool_);
    }
    logits = logits_;
    return absl::OkStatus();
  }

  const std::unique_ptr<model::ModelFile> file_;
  const model::DecoderSpec& spec_;
  const ModelRunnerOptions options_;
  const tensor::Ops& ops_;
  base::ThreadPool pool_;
  RopeTable rope_;
  const int q_width_, kv_width_;
  std::vector<Layer> layers_;
  std::unique_ptr<PackedLinear> head_;
  RunnerInfo info_;
  std::int32_t blocks_ = 0;
  std::unique_ptr<float[], Free> kv_;  // [layers, blocks, 2, kv_heads, kBlockTokens, head_width]

  // Of one forward().
  std::vector<Token> tokens_;
  std::vector<std::int32_t> ids_;
  tensor::Activations activations_;
  std::vector<float> x_, h_, qkv_, attended_, gate_up_, logits_;
  std::vector<Scratch> scratch_;  // by thread
};

}  // namespace

absl::StatusOr<std::unique_ptr<Runner>> make_model_runner(std::unique_ptr<model::ModelFile> file,
                                                          const ModelRunnerOptions& options) {
  auto runner = std::make_unique<ModelRunner>(std::move(file), options);
  RETURN_IF_ERROR(runner->pack());
  return std::unique_ptr<Runner>(std::move(runner));
}

}  // namespace plinth::engine
