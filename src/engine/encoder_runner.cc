#include "engine/encoder_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "tensor/ops.h"
#include "tensor/quantize.h"

namespace plinth::engine {

namespace {

using tensor::MatrixView;
using tensor::PackedLinear;

// Sequences go through the layers together up to this many tokens, a longer one alone: enough that
// reading the weights costs little, and the widest activations (512 x 1536 floats) stay near L2.
constexpr std::int64_t kPassTokens = 512;

struct Layer {
  const model::EncoderLayerWeights* weights = nullptr;
  std::unique_ptr<PackedLinear> qkv, o, up, down;
  std::vector<float> qkv_bias;  // [3 width]
};

// One sequence's rows in a pass.
struct Span {
  std::int64_t begin = 0;
  int tokens = 0;
};

class EncoderRunner final : public EmbeddingRunner {
 public:
  EncoderRunner(std::unique_ptr<model::EncoderFile> file, const EncoderRunnerOptions& options)
      : file_(std::move(file)),
        spec_(file_->spec),
        options_(options),
        ops_(tensor::ops_for(options.isa)),
        pool_(options.threads) {}

  absl::Status pack() {
    for (const auto& w : file_->weights.layers) {
      Layer layer;
      layer.weights = &w;
      ASSIGN_OR_RETURN(layer.qkv, pack({w.q.weight, w.k.weight, w.v.weight}, Input::normed));
      ASSIGN_OR_RETURN(layer.o, pack({w.o.weight}, Input::inner));
      ASSIGN_OR_RETURN(layer.up, pack({w.up.weight}, Input::normed));
      ASSIGN_OR_RETURN(layer.down, pack({w.down.weight}, Input::inner));
      for (const auto* part : {&w.q, &w.k, &w.v}) {
        layer.qkv_bias.insert(layer.qkv_bias.end(), part->bias.begin(), part->bias.end());
      }
      layers_.push_back(std::move(layer));
    }
    return absl::OkStatus();
  }

  std::int32_t dimensions() const override { return spec_.width; }
  std::int32_t vocab_size() const override { return spec_.vocab; }
  std::int32_t context_tokens_max() const override { return spec_.context; }

  absl::Status embed(std::span<const std::vector<std::int32_t>> sequences,
                     std::vector<float>& out) override {
    for (const auto& sequence : sequences) RETURN_IF_ERROR(check(sequence));
    out.assign(sequences.size() * static_cast<std::size_t>(spec_.width), 0.0f);
    for (std::size_t begin = 0; begin < sequences.size();) {
      std::size_t end = begin;
      std::int64_t tokens = 0;
      do {
        tokens += static_cast<std::int64_t>(sequences[end++].size());
      } while (end < sequences.size() &&
               tokens + static_cast<std::int64_t>(sequences[end].size()) <= kPassTokens);
      pass(sequences.subspan(begin, end - begin),
           out.data() + begin * static_cast<std::size_t>(spec_.width));
      begin = end;
    }
    return absl::OkStatus();
  }

 private:
  // What a layer norm puts out has a few channels far larger than the rest, which 8 bits cannot
  // hold beside them: with those products as integers the cosine to fp32 falls to 0.998 on
  // all-MiniLM-L6-v2, without them it stays at 0.9997.
  enum class Input { normed, inner };

  // The integer kernels take quantised weights in blocks of 32.
  absl::StatusOr<std::unique_ptr<PackedLinear>> pack(std::vector<MatrixView> parts, Input input) {
    std::vector<std::vector<std::uint8_t>> quantised;
    const bool fits = std::all_of(parts.begin(), parts.end(),
                                  [](const auto& part) { return part.columns % 32 == 0; });
    if (options_.mode == tensor::LinearMode::fast && fits && input == Input::inner) {
      for (auto& part : parts) {
        if (tensor::dtype_info(part.dtype).block_elements != 1) continue;
        quantised.push_back(tensor::quantize_q8_0(part));
        part = {quantised.back().data(), tensor::DType::q8_0, part.rows, part.columns};
      }
    }
    return tensor::pack_linear(parts, {options_.isa, options_.mode, &pool_, store_});
  }

  absl::Status check(const std::vector<std::int32_t>& sequence) const {
    if (sequence.empty()) return base::invalid_argument("[encoder] a sequence without tokens");
    if (sequence.size() > static_cast<std::size_t>(spec_.context)) {
      return base::invalid_argument(fmt::format("[encoder] {} tokens, and the model takes {}",
                                                sequence.size(), spec_.context));
    }
    for (const auto token : sequence) {
      if (token < 0 || token >= spec_.vocab) {
        return base::invalid_argument(
            fmt::format("token {} is outside the vocabulary of {}", token, spec_.vocab));
      }
    }
    return absl::OkStatus();
  }

  // One pass over the layers. out: [sequences.size(), width].
  void pass(std::span<const std::vector<std::int32_t>> sequences, float* out) {
    spans_.clear();
    ids_.clear();
    for (const auto& sequence : sequences) {
      spans_.push_back({static_cast<std::int64_t>(ids_.size()), static_cast<int>(sequence.size())});
      ids_.insert(ids_.end(), sequence.begin(), sequence.end());
    }
    const auto m = static_cast<std::int64_t>(ids_.size());
    grow(x_, m * spec_.width);
    grow(h_, m * spec_.width);
    grow(qkv_, m * 3 * spec_.width);
    grow(up_, m * spec_.ff_width);
    look_up(m);
    for (const auto& layer : layers_) {
      attention_half(layer, m);
      feed_forward_half(layer, m);
    }
    pool_.parallel_for(static_cast<std::int64_t>(spans_.size()), 1,
                       [&](std::int64_t begin, std::int64_t end) {
                         for (auto s = begin; s < end; ++s) {
                           pool_rows(spans_[static_cast<std::size_t>(s)], out + s * spec_.width);
                         }
                       });
  }

  static void grow(std::vector<float>& scratch, std::int64_t size) {
    if (scratch.size() < static_cast<std::size_t>(size)) {
      scratch.resize(static_cast<std::size_t>(size));
    }
  }

  // Calls body(row) for each of m rows, `grain` at a time.
  template <typename Body>
  void for_rows(std::int64_t m, std::int64_t grain, const Body& body) {
    pool_.parallel_for(m, grain, [&](std::int64_t begin, std::int64_t end) {
      for (auto t = begin; t < end; ++t) body(t);
    });
  }

  // x = norm(token + position + type 0), [m, width].
  void look_up(std::int64_t m) {
    const auto& weights = file_->weights;
    const std::int64_t width = spec_.width;
    position_ids_.resize(static_cast<std::size_t>(m));
    for (const auto& span : spans_) {
      for (int t = 0; t < span.tokens; ++t) {
        position_ids_[static_cast<std::size_t>(span.begin + t)] = t + spec_.position_offset;
      }
    }
    tensor::gather_rows(weights.embedding, ids_, x_.data());
    tensor::gather_rows(weights.positions, position_ids_, h_.data());
    for_rows(m, 16, [&](std::int64_t t) {
      float* row = x_.data() + t * width;
      if (!weights.token_type.empty()) ops_.add(row, weights.token_type.data(), width);
      ops_.add(row, h_.data() + t * width, width);
      norm(weights.embedding_norm, row);
    });
  }

  void norm(const model::NormWeights& weights, float* row) const {
    ops_.layer_norm(row, weights.weight.data(), weights.bias.data(), spec_.norm_epsilon,
                    spec_.width, row);
  }

  // x = norm(x + h + bias): the end of both halves.
  void add_and_norm(const std::vector<float>& bias, const model::NormWeights& weights,
                    std::int64_t m) {
    const std::int64_t width = spec_.width;
    for_rows(m, 16, [&](std::int64_t t) {
      float* row = x_.data() + t * width;
      ops_.add(row, h_.data() + t * width, width);
      ops_.add(row, bias.data(), width);
      norm(weights, row);
    });
  }

  void multiply(const PackedLinear& linear, const float* x, std::int64_t m, float* y) {
    linear.prepare(x, linear.columns(), static_cast<int>(m), activations_, pool_);
    linear.multiply(activations_, static_cast<int>(m), y, linear.rows(), pool_);
  }

  void attention_half(const Layer& layer, std::int64_t m) {
    const std::int64_t width = spec_.width;
    multiply(*layer.qkv, x_.data(), m, qkv_.data());
    for_rows(m, 16, [&](std::int64_t t) {
      ops_.add(qkv_.data() + t * 3 * width, layer.qkv_bias.data(), 3 * width);
    });
    grow(attended_, m * width);
    const std::int64_t tasks = static_cast<std::int64_t>(spans_.size()) * spec_.heads;
    pool_.parallel_for(tasks, 1, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> scratch;
      for (auto task = begin; task < end; ++task) {
        attend(spans_[static_cast<std::size_t>(task / spec_.heads)],
               static_cast<int>(task % spec_.heads), scratch);
      }
    });
    multiply(*layer.o, attended_.data(), m, h_.data());
    add_and_norm(layer.weights->o.bias, layer.weights->attention_norm, m);
  }

  void attend(const Span& span, int head, std::vector<float>& scratch) {
    const int e = spec_.width / spec_.heads;
    const std::int64_t width = spec_.width;
    grow(scratch, static_cast<std::int64_t>(tensor::full_attention_scratch(span.tokens, e)));
    tensor::FullAttentionArgs args;
    args.q = qkv_.data() + span.begin * 3 * width + head * e;
    args.k = args.q + width;
    args.v = args.k + width;
    args.stride = 3 * width;
    args.tokens = span.tokens;
    args.head_width = e;
    args.scale = 1.0f / std::sqrt(static_cast<float>(e));
    args.scratch = scratch.data();
    args.out = attended_.data() + span.begin * width + head * e;
    args.out_stride = width;
    ops_.full_attention(args);
  }

  void feed_forward_half(const Layer& layer, std::int64_t m) {
    const std::int64_t ff = spec_.ff_width;
    multiply(*layer.up, x_.data(), m, up_.data());
    for_rows(m, 4, [&](std::int64_t t) {
      float* row = up_.data() + t * ff;
      ops_.add(row, layer.weights->up.bias.data(), ff);
      activate(row, ff);
    });
    multiply(*layer.down, up_.data(), m, h_.data());
    add_and_norm(layer.weights->down.bias, layer.weights->output_norm, m);
  }

  void activate(float* row, std::int64_t n) const {
    switch (spec_.activation) {
      case model::EncoderActivation::gelu_erf:
        return ops_.gelu_erf(row, n);
      case model::EncoderActivation::gelu_tanh:
        return ops_.gelu_tanh(row, n);
      case model::EncoderActivation::relu:
        for (std::int64_t i = 0; i < n; ++i) row[i] = std::max(row[i], 0.0f);
    }
  }

  // out: [width].
  void pool_rows(const Span& span, float* out) const {
    const std::int64_t width = spec_.width;
    const float* rows = x_.data() + span.begin * width;
    std::copy_n(rows, width, out);
    for (int t = 1; spec_.pooling != model::Pooling::cls && t < span.tokens; ++t) {
      const float* row = rows + t * width;
      for (std::int64_t i = 0; i < width; ++i) {
        out[i] = spec_.pooling == model::Pooling::mean ? out[i] + row[i] : std::max(out[i], row[i]);
      }
    }
    float factor =
        spec_.pooling == model::Pooling::mean ? 1.0f / static_cast<float>(span.tokens) : 1.0f;
    if (spec_.normalize) {
      double squares = 0;
      for (std::int64_t i = 0; i < width; ++i) squares += static_cast<double>(out[i]) * out[i];
      if (squares > 0) factor = static_cast<float>(1.0 / std::sqrt(squares));
    }
    for (std::int64_t i = 0; i < width; ++i) out[i] *= factor;
  }

  const std::unique_ptr<model::EncoderFile> file_;
  const model::EncoderSpec& spec_;
  const EncoderRunnerOptions options_;
  const tensor::Ops& ops_;
  base::ThreadPool pool_;
  const std::shared_ptr<tensor::PackedStore> store_ = std::make_shared<tensor::PackedStore>();
  std::vector<Layer> layers_;

  // Of one pass. Legend: m tokens.
  std::vector<Span> spans_;
  std::vector<std::int32_t> ids_, position_ids_;  // [m]
  tensor::Activations activations_;
  std::vector<float> x_, h_, attended_;  // [m, width]
  std::vector<float> qkv_;               // [m, 3 width]
  std::vector<float> up_;                // [m, ff_width]
};

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddingRunner>> make_encoder_runner(
    std::unique_ptr<model::EncoderFile> file, const EncoderRunnerOptions& options) {
  auto runner = std::make_unique<EncoderRunner>(std::move(file), options);
  RETURN_IF_ERROR(runner->pack());
  return std::unique_ptr<EmbeddingRunner>(std::move(runner));
}

}  // namespace plinth::engine
