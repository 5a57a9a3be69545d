#include "engine/encoder_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "base/check.h"
#include "engine/run/full_attention.h"
#include "tensor/huge_allocator.h"
#include "tensor/ops.h"
#include "tensor/quantize.h"

namespace plinth::engine {

namespace {

using tensor::DType;
using tensor::MatrixView;
using tensor::PackedLinear;

// Sequences go through the layers together up to this many tokens, a longer one alone: enough that
// reading the weights costs little, and the widest activations (512 x 1536 floats) stay near L2.
constexpr std::int64_t kPassTokens = 512;

struct Layer {
  const model::EncoderLayerWeights* weights = nullptr;
  std::unique_ptr<PackedLinear> qkv, o, up, down;
  std::vector<float> qkv_bias;  // [3 width]
  // What the channels of `up`'s input are multiplied by, and its weights divided by; empty = 1.
  std::vector<float> up_factors;  // [width]
};

// What calibrates the channels of a model: enough tokens that each channel's size is known.
constexpr int kCalibrationTexts = 8, kCalibrationTokens = 64;

tensor::KvType kv_type(const EncoderRunnerOptions& options) {
  return options.mode == tensor::LinearMode::exact ? tensor::KvType::f32
                                                   : tensor::best_kv_type(options.isa);
}

class EncoderRunner final : public EmbeddingRunner {
 public:
  EncoderRunner(std::unique_ptr<model::EncoderFile> file, const EncoderRunnerOptions& options)
      : file_(std::move(file)),
        spec_(file_->spec),
        options_(options),
        ops_(tensor::ops_for(options.isa)),
        pool_(options.threads, options.pin),
        attention_(spec_.heads, spec_.width / spec_.heads, options.isa, kv_type(options), pool_) {}

  absl::Status pack() {
    for (const auto& w : file_->weights.layers) {
      Layer layer;
      layer.weights = &w;
      ASSIGN_OR_RETURN(layer.qkv,
                       pack({w.q.weight, w.k.weight, w.v.weight}, Product::normed, store_));
      ASSIGN_OR_RETURN(layer.o, pack({w.o.weight}, Product::other, store_));
      // In memory of its own, which it gives back where smooth() makes another.
      ASSIGN_OR_RETURN(layer.up, pack({w.up.weight}, Product::normed, nullptr));
      ASSIGN_OR_RETURN(layer.down, pack({w.down.weight}, Product::other, store_));
      for (const auto* part : {&w.q, &w.k, &w.v}) {
        layer.qkv_bias.insert(layer.qkv_bias.end(), part->bias.begin(), part->bias.end());
      }
      layers_.push_back(std::move(layer));
    }
    return options_.mode == tensor::LinearMode::fast ? smooth() : absl::OkStatus();
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
  // What a layer norm puts out has a few channels far larger than the rest, beside which 8 bits do
  // not hold those: with all products as integers the worst cosine to fp32 over the golden texts
  // falls to 0.998 on all-MiniLM-L6-v2. So q, k and v stay floating-point numbers, and smooth()
  // evens out the channels of `up`.
  enum class Product { normed, other };

  absl::StatusOr<std::unique_ptr<PackedLinear>> pack(
      std::vector<MatrixView> parts, Product product,
      const std::shared_ptr<tensor::PackedStore>& store) {
    std::vector<std::vector<std::uint8_t>> converted;
    const DType fast = fast_dtype(parts, product);
    for (auto& part : parts) {
      if (options_.mode == tensor::LinearMode::exact) break;
      if (fast == DType::f32 || tensor::dtype_info(part.dtype).block_elements != 1) continue;
      converted.push_back(tensor::quantize_matrix(fast, part));
      part = {converted.back().data(), fast, part.rows, part.columns};
    }
    return tensor::pack_linear(parts, {options_.isa, options_.mode, &pool_, store});
  }

  // `up` becomes integers too. The deviation of each channel of its input, over random tokens, goes
  // by half into its weights, which are even. Xiao et al., "SmoothQuant", 2023.
  absl::Status smooth() {
    const auto width = static_cast<std::size_t>(spec_.width);
    std::vector<std::vector<float>> squares(layers_.size(), std::vector<float>(width));
    std::mt19937 random(1);
    std::vector<std::vector<std::int32_t>> texts(kCalibrationTexts);
    for (auto& text : texts) {
      text.resize(static_cast<std::size_t>(std::min(kCalibrationTokens, spec_.context)));
      for (auto& token : text) {
        token = static_cast<std::int32_t>(random() % static_cast<std::uint32_t>(spec_.vocab));
      }
    }
    std::vector<float> out(texts.size() * width);
    calibration_ = &squares;
    pass(texts, out.data());
    calibration_ = nullptr;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const auto& stored = layers_[i].weights->up.weight;
      if (fast_dtype({stored}, Product::other) != DType::q8_0) continue;
      if (tensor::dtype_info(stored.dtype).block_elements != 1) continue;
      RETURN_IF_ERROR(smooth_up(layers_[i], squares[i]));
    }
    return absl::OkStatus();
  }

  // squares: of each channel, summed over the calibration.
  absl::Status smooth_up(Layer& layer, std::span<const float> squares) {
    const auto& stored = layer.weights->up.weight;
    float mean = 0;
    for (const float square : squares) mean += std::sqrt(std::sqrt(square));
    mean /= static_cast<float>(squares.size());
    // Weights without sense: there is nothing to even out.
    if (!(mean > 0) || !std::isfinite(mean)) return absl::OkStatus();
    for (const float square : squares) {
      // A channel that is always small may not be blown up without bound.
      const float size = std::max(std::sqrt(std::sqrt(square)), mean / 32);
      layer.up_factors.push_back(mean / size);
    }
    std::vector<float> weights(static_cast<std::size_t>(stored.rows * stored.columns));
    for (std::int64_t r = 0; r < stored.rows; ++r) {
      float* row = weights.data() + r * stored.columns;
      tensor::dequantize_row(stored.dtype,
                             stored.data + static_cast<std::size_t>(r) *
                                               tensor::row_bytes(stored.dtype, stored.columns),
                             row, stored.columns);
      for (std::size_t c = 0; c < squares.size(); ++c) row[c] /= layer.up_factors[c];
    }
    const MatrixView even = {reinterpret_cast<const std::uint8_t*>(weights.data()), DType::f32,
                             stored.rows, stored.columns};
    ASSIGN_OR_RETURN(layer.up, pack({even}, Product::other, store_));
    return absl::OkStatus();
  }

  // What floating-point weights become; f32 leaves them as they are.
  DType fast_dtype(const std::vector<MatrixView>& parts, Product product) const {
    // The integer kernels take quantised weights in blocks of 32.
    const bool fits = std::all_of(parts.begin(), parts.end(),
                                  [](const auto& part) { return part.columns % 32 == 0; });
    // Where tiles multiply them, BF16 are as fast as integers whose scales they cannot take.
    const bool tiles = tensor::multiplies_bulk_apart({options_.isa, options_.mode});
    if (product == Product::other && fits && !tiles) return DType::q8_0;
    return tensor::multiplies_bfloat(options_.isa) ? DType::bf16 : DType::f32;
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
    texts_.clear();
    ids_.clear();
    for (const auto& sequence : sequences) {
      texts_.push_back({static_cast<std::int64_t>(ids_.size()), static_cast<int>(sequence.size())});
      ids_.insert(ids_.end(), sequence.begin(), sequence.end());
    }
    const auto m = static_cast<std::int64_t>(ids_.size());
    branch_ = {};
    grow(x_, m * spec_.width);
    grow(h_, m * spec_.width);
    grow(qkv_, m * 3 * spec_.width);
    grow(up_, m * spec_.ff_width);
    look_up(m);
    for (const auto& layer : layers_) {
      attention_half(layer, m);
      feed_forward_half(layer, m);
    }
    pool_.parallel_for(static_cast<std::int64_t>(texts_.size()), 1,
                       [&](std::int64_t begin, std::int64_t end) {
                         for (auto s = begin; s < end; ++s) {
                           pool_rows(texts_[static_cast<std::size_t>(s)], out + s * spec_.width);
                         }
                       });
  }

  static void grow(tensor::HugeFloats& scratch, std::int64_t size) {
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
    for (const auto& text : texts_) {
      for (int t = 0; t < text.tokens; ++t) {
        position_ids_[static_cast<std::size_t>(text.begin + t)] = t + spec_.position_offset;
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

  // x = norm(x + h + bias), the end of both halves, one row at a time by who reads x next. Returns
  // the row.
  const float* settle(std::int64_t t) {
    const std::int64_t width = spec_.width;
    float* row = x_.data() + t * width;
    if (branch_.norm == nullptr) return row;
    ops_.add(row, h_.data() + t * width, width);
    ops_.add(row, branch_.bias->data(), width);
    norm(*branch_.norm, row);
    return row;
  }

  // make_row: as PackedLinear::prepare_made says.
  void multiply(const PackedLinear& linear, const float* x, std::int64_t m, float* y,
                absl::FunctionRef<void(int row)> make_row) {
    linear.prepare_made(x, linear.columns(), static_cast<int>(m), activations_, pool_, make_row);
    linear.multiply(activations_, static_cast<int>(m), y, linear.rows(), pool_);
  }

  void attention_half(const Layer& layer, std::int64_t m) {
    const std::int64_t width = spec_.width;
    multiply(*layer.qkv, x_.data(), m, qkv_.data(), [&](int t) { settle(t); });
    for_rows(m, 16, [&](std::int64_t t) {
      ops_.add(qkv_.data() + t * 3 * width, layer.qkv_bias.data(), 3 * width);
    });
    grow(attended_, m * width);
    attention_.run(texts_, qkv_.data(), attended_.data());
    multiply(*layer.o, attended_.data(), m, h_.data(), [](int) {});
    branch_ = {&layer.weights->o.bias, &layer.weights->attention_norm};
  }

  void feed_forward_half(const Layer& layer, std::int64_t m) {
    const std::int64_t ff = spec_.ff_width;
    const std::int64_t width = spec_.width;
    const auto& factors = layer.up_factors;
    const float* input = factors.empty() ? x_.data() : h_.data();
    multiply(*layer.up, input, m, up_.data(), [&](int t) {
      const float* row = settle(t);
      if (factors.empty()) return;
      // The branch's own row, which is settled.
      float* to = h_.data() + t * width;
      for (std::int64_t i = 0; i < width; ++i)
        to[i] = row[i] * factors[static_cast<std::size_t>(i)];
    });
    if (calibration_ != nullptr) calibrate(layer, m);
    multiply(*layer.down, up_.data(), m, h_.data(), [&](int t) {
      float* row = up_.data() + t * ff;
      ops_.add(row, layer.weights->up.bias.data(), ff);
      activate(row, ff);
    });
    branch_ = {&layer.weights->down.bias, &layer.weights->output_norm};
  }

  void calibrate(const Layer& layer, std::int64_t m) {
    auto& squares = (*calibration_)[static_cast<std::size_t>(&layer - layers_.data())];
    for (std::int64_t i = 0; i < m * spec_.width; ++i) {
      const float x = x_[static_cast<std::size_t>(i)];
      squares[static_cast<std::size_t>(i % spec_.width)] += x * x;
    }
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
  void pool_rows(const TextRows& text, float* out) {
    const std::int64_t width = spec_.width;
    for (int t = 0; t < text.tokens; ++t) settle(text.begin + t);
    const float* rows = x_.data() + text.begin * width;
    std::copy_n(rows, width, out);
    for (int t = 1; spec_.pooling != model::Pooling::cls && t < text.tokens; ++t) {
      const float* row = rows + t * width;
      for (std::int64_t i = 0; i < width; ++i) {
        out[i] = spec_.pooling == model::Pooling::mean ? out[i] + row[i] : std::max(out[i], row[i]);
      }
    }
    float factor =
        spec_.pooling == model::Pooling::mean ? 1.0f / static_cast<float>(text.tokens) : 1.0f;
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
  FullAttention attention_;
  const std::shared_ptr<tensor::PackedStore> store_ = std::make_shared<tensor::PackedStore>();
  std::vector<Layer> layers_;

  // While smooth() runs: for each layer the sums of squares of `up`'s input, [width].
  std::vector<std::vector<float>>* calibration_ = nullptr;

  // What settle() adds, beside h.
  struct Branch {
    const std::vector<float>* bias = nullptr;
    const model::NormWeights* norm = nullptr;
  };
  Branch branch_;

  // Of one pass. Legend: m tokens.
  std::vector<TextRows> texts_;
  std::vector<std::int32_t> ids_, position_ids_;  // [m]
  tensor::Activations activations_;
  tensor::HugeFloats x_, h_, attended_;  // [m, width]
  tensor::HugeFloats qkv_;               // [m, 3 width]
  tensor::HugeFloats up_;                // [m, ff_width]
};

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddingRunner>> make_encoder_runner(
    std::unique_ptr<model::EncoderFile> file, const EncoderRunnerOptions& options) {
  auto runner = std::make_unique<EncoderRunner>(std::move(file), options);
  RETURN_IF_ERROR(runner->pack());
  return std::unique_ptr<EmbeddingRunner>(std::move(runner));
}

}  // namespace plinth::engine
