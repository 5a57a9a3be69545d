#include "train/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <set>
#include <type_traits>

#include "train/dense_weight.h"
#include "train/layer.h"
#include "train/ops/embedding.h"
#include "train/ops/linear.h"
#include "train/packed_weight.h"
#include "train/stored_weight.h"

namespace plinth::train {

namespace {

const std::set<std::string> kTargets = {"q", "k", "v", "o", "gate", "up", "down"};

template <typename T>
class DenseDecoder final : public Decoder<T> {
 public:
  DenseDecoder(const model::DecoderSpec& spec, const LoraOptions& lora, Compute* compute)
      : Decoder<T>(spec), lora_(lora), compute_(compute), random_(lora.seed) {}

  void load(const model::DecoderWeights& weights) {
    const auto& spec = this->spec_;
    const bool tied = weights.head.data == weights.embedding.data;
    embedding_ = weight_of("embedding", weights.embedding, tied);
    if (spec.learned_positions) positions_ = weight_of("positions", weights.positions, false);
    for (std::int32_t i = 0; i < spec.layers; ++i) {
      begins_.push_back(this->parameters_.all().size());
      layers_.push_back(
          load_layer(fmt::format("layers.{}.", i), weights.layers[static_cast<std::size_t>(i)]));
    }
    begins_.push_back(this->parameters_.all().size());
    final_norm_ = norm("final_norm", weights.final_norm);
    head_ = tied ? embedding_ : weight_of("head", weights.head, true);
  }

  Var<T>& hidden(Tape<T>& tape, const Batch& batch, Recompute recompute) override {
    const auto& spec = this->spec_;
    pass_.documents = &batch.documents;
    pass_.global = rope_angles<T>(spec.rope, batch);
    pass_.local = rope_angles<T>(spec.local_rope, batch);
    Var<T>* x = &embedding(tape, *embedding_, batch.ids, static_cast<T>(spec.embedding_scale));
    if (positions_ != nullptr) {
      position_ids_.clear();
      for (const auto& document : batch.documents) {
        for (std::int64_t t = 0; t < document.tokens; ++t)
          position_ids_.push_back(static_cast<std::int32_t>(t));
      }
      x = &add(tape, *x, embedding<T>(tape, *positions_, position_ids_, 1));
    }
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      mark(tape, begins_[i]);
      const auto body = [this, &tape, i](Var<T>& in) -> Var<T>& {
        return run_layer(tape, this->spec_, this->spec_.layer[i], layers_[i], pass_, in);
      };
      // Without a way back nothing is worth keeping.
      const bool keep = recompute == Recompute::none && tape.recording();
      x = keep ? &body(*x) : &tape.recompute(*x, body);
    }
    mark(tape, begins_.back());
    return run_norm(tape, spec, *x, final_norm_);
  }

  Weight<T>& head() override { return *head_; }
  void pack(Compute& compute) override {
    for (auto* weight : learnt_) weight->pack(compute);
  }
  void unpack() override {
    for (auto* weight : learnt_) weight->unpack();
  }

 private:
  bool all_learn() const { return lora_.rank == 0; }
  void mark(Tape<T>& tape, std::size_t begin) {
    if (this->on_final_) tape.mark([this, begin] { this->on_final_(begin); });
  }

  Parameter<T>& matrix(const std::string& name, const tensor::MatrixView& stored) {
    auto& parameter = this->parameters_.add(name, stored.rows, stored.columns, all_learn());
    std::vector<float> row(static_cast<std::size_t>(stored.columns));
    for (std::int64_t r = 0; r < stored.rows; ++r) {
      tensor::dequantize_row(stored, r, row.data());
      std::copy(row.begin(), row.end(), parameter.value.data() + r * stored.columns);
    }
    return parameter;
  }
  // Null where there is none.
  Parameter<T>* vector(const std::string& name, const std::vector<float>& stored) {
    if (stored.empty()) return nullptr;
    const auto size = static_cast<std::int64_t>(stored.size());
    auto& parameter = this->parameters_.add(name, 1, size, all_learn());
    std::copy(stored.begin(), stored.end(), parameter.value.begin());
    return &parameter;
  }
  NormParameters<T> norm(const std::string& name, const model::NormWeights& stored) {
    return {vector(name, stored.weight), vector(name + ".bias", stored.bias)};
  }
  // Shared, since a tied head is the embedding. Not `multiplies`: rows are looked up alone.
  std::shared_ptr<Weight<T>> weight_of(const std::string& name, const tensor::MatrixView& stored,
                                       bool multiplies) {
    if constexpr (std::is_same_v<T, float>) {
      if (!all_learn() && compute_ != nullptr) {
        if (lora_.keep_stored || !multiplies) return std::make_shared<StoredWeight>(stored);
        return std::make_shared<PackedWeight>(stored, *compute_);
      }
    }
    std::shared_ptr<Weight<T>> made = weight_of(matrix(name, stored));
    if (all_learn() && multiplies) learnt_.push_back(made.get());
    return made;
  }
  std::unique_ptr<Weight<T>> weight_of(Parameter<T>& parameter) {
    return std::make_unique<DenseWeight<T>>(parameter.value.data(),
                                            parameter.learns() ? parameter.grad.data() : nullptr,
                                            parameter.rows, parameter.columns);
  }

  LinearParameters<T> linear(const std::string& prefix, const std::string& name,
                             const tensor::MatrixView& stored, const std::vector<float>& bias) {
    LinearParameters<T> made;
    if (stored.data == nullptr) return made;
    made.weight = weight_of(prefix + name, stored, true);
    made.bias = vector(prefix + name + ".bias", bias);
    const auto& targets = lora_.targets;
    if (all_learn() || std::find(targets.begin(), targets.end(), name) == targets.end())
      return made;
    auto& a = this->parameters_.add(prefix + name + ".lora_a", lora_.rank, stored.columns, true);
    auto& b = this->parameters_.add(prefix + name + ".lora_b", stored.rows, lora_.rank, true);
    // As torch.nn.Linear begins (He et al., 2015, with a = sqrt(5)), which PEFT keeps for A.
    const double bound = 1 / std::sqrt(static_cast<double>(stored.columns));
    for (auto& number : a.value) {
      const double unit = static_cast<double>(random_() >> 11) * 0x1p-53;
      number = static_cast<T>((2 * unit - 1) * bound);
    }
    made.a = weight_of(a);
    made.b = weight_of(b);
    made.factor = static_cast<T>(lora_.factor());
    return made;
  }

  LayerParameters<T> load_layer(const std::string& prefix, const model::LayerWeights& stored) {
    LayerParameters<T> layer;
    layer.attention_norm = norm(prefix + "attention_norm", stored.attention_norm);
    layer.q = linear(prefix, "q", stored.q, stored.q_bias);
    layer.k = linear(prefix, "k", stored.k, stored.k_bias);
    layer.v = linear(prefix, "v", stored.v, stored.v_bias);
    layer.q_norm = {vector(prefix + "q_norm", stored.q_norm), nullptr};
    layer.k_norm = {vector(prefix + "k_norm", stored.k_norm), nullptr};
    layer.o = linear(prefix, "o", stored.o, stored.o_bias);
    layer.attention_post_norm = norm(prefix + "attention_post_norm", stored.attention_post_norm);
    layer.ffn_norm = norm(prefix + "ffn_norm", stored.ffn_norm);
    layer.gate = linear(prefix, "gate", stored.gate, stored.gate_bias);
    layer.up = linear(prefix, "up", stored.up, stored.up_bias);
    layer.down = linear(prefix, "down", stored.down, stored.down_bias);
    layer.ffn_post_norm = norm(prefix + "ffn_post_norm", stored.ffn_post_norm);
    return layer;
  }

  const LoraOptions lora_;
  Compute* const compute_;
  std::mt19937_64 random_;
  std::shared_ptr<Weight<T>> embedding_, positions_, head_;
  std::vector<LayerParameters<T>> layers_;
  std::vector<std::size_t> begins_;  // of the layers' parameters and of those behind them
  NormParameters<T> final_norm_;
  std::vector<Weight<T>*> learnt_;  // matrices
  // Of the batch that goes through, until its way back is over.
  LayerPass<T> pass_;
  std::vector<std::int32_t> position_ids_;
};

}  // namespace

std::int64_t kept_numbers(const model::DecoderSpec& spec) {
  const std::int64_t q = spec.heads * spec.head_width, kv = spec.kv_heads * spec.head_width;
  // Both norms, two sums and both branches; queries and keys before and after they are turned; what
  // attention gives; gate, up and their product.
  const std::int64_t layer =
      (spec.post_norms ? 8 : 6) * spec.width + 3 * q + 3 * kv + 3 * spec.ff_width;
  return spec.layers * layer;
}

double LoraOptions::factor() const {
  const auto ranks = static_cast<double>(rank);
  return alpha / (by_root ? std::sqrt(ranks) : ranks);
}

template <typename T>
absl::StatusOr<std::unique_ptr<Decoder<T>>> Decoder<T>::make(const model::DecoderSpec& spec,
                                                             const model::DecoderWeights& weights,
                                                             const LoraOptions& lora,
                                                             Compute* compute) {
  if (spec.experts.count > 0) {
    return base::unimplemented(
        fmt::format("[train] {} has {} experts: only dense models can be trained",
                    spec.architecture, spec.experts.count));
  }
  for (const auto& target : lora.targets) {
    if (kTargets.contains(target)) continue;
    return base::invalid_argument(fmt::format(
        "[train] `{}` is no target of an adapter: q, k, v, o, gate, up and down are", target));
  }
  auto decoder = std::make_unique<DenseDecoder<T>>(spec, lora, compute);
  decoder->load(weights);
  return std::unique_ptr<Decoder<T>>(std::move(decoder));
}

template class Decoder<float>;
template class Decoder<double>;

}  // namespace plinth::train
