#include "train/trained_weights.h"

#include <fmt/format.h>

#include <string>
#include <unordered_map>

namespace plinth::train {

namespace {

tensor::MatrixView view_of(const float* values, std::int64_t rows, std::int64_t columns) {
  return {reinterpret_cast<const std::uint8_t*>(values), tensor::DType::f32, rows, columns};
}

class Maker {
 public:
  Maker(const Parameters<float>& parameters, const LoraOptions& lora,
        const model::DecoderWeights& base)
      : factor_(static_cast<float>(lora.factor())), tied_(base.head.data == base.embedding.data) {
    for (const auto& parameter : parameters.all()) by_name_[parameter.name] = &parameter;
    made_.weights = base;
  }

  TrainedWeights make() {
    auto& weights = made_.weights;
    matrix("embedding", weights.embedding);
    matrix("positions", weights.positions);
    norm("final_norm", weights.final_norm);
    if (tied_) {
      weights.head = weights.embedding;
    } else {
      matrix("head", weights.head);
    }
    for (std::size_t i = 0; i < weights.layers.size(); ++i)
      layer(fmt::format("layers.{}.", i), weights.layers[i]);
    return std::move(made_);
  }

 private:
  const Parameter<float>* find(const std::string& name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
  }

  void vector(const std::string& name, std::vector<float>& out) {
    if (const auto* const own = find(name)) out.assign(own->value.begin(), own->value.end());
  }
  void norm(const std::string& name, model::NormWeights& out) {
    vector(name, out.weight);
    vector(name + ".bias", out.bias);
  }
  void matrix(const std::string& name, tensor::MatrixView& out) {
    if (const auto* const a = find(name + ".lora_a")) {
      out = merged(out, *a, *find(name + ".lora_b"));
    } else if (const auto* const own = find(name)) {
      out = view_of(own->value.data(), own->rows, own->columns);
    }
  }
  tensor::MatrixView merged(const tensor::MatrixView& base, const Parameter<float>& a,
                            const Parameter<float>& b) {
    auto& sums = made_.merged.emplace_back(static_cast<std::size_t>(base.rows * base.columns));
    const auto bytes = tensor::row_bytes(base.dtype, base.columns);
    for (std::int64_t row = 0; row < base.rows; ++row) {
      float* numbers = sums.data() + row * base.columns;
      tensor::dequantize_row(base.dtype, base.data + static_cast<std::size_t>(row) * bytes, numbers,
                             base.columns);
      for (std::int64_t r = 0; r < a.rows; ++r) {
        const float scale = factor_ * b.value[static_cast<std::size_t>(row * a.rows + r)];
        const float* from = a.value.data() + r * a.columns;
        for (std::int64_t c = 0; c < a.columns; ++c) numbers[c] += scale * from[c];
      }
    }
    return view_of(sums.data(), base.rows, base.columns);
  }
  void layer(const std::string& prefix, model::LayerWeights& out) {
    const auto linear = [&](const char* name, tensor::MatrixView& weight,
                            std::vector<float>& bias) {
      matrix(prefix + name, weight);
      vector(prefix + name + ".bias", bias);
    };
    linear("q", out.q, out.q_bias);
    linear("k", out.k, out.k_bias);
    linear("v", out.v, out.v_bias);
    linear("o", out.o, out.o_bias);
    linear("gate", out.gate, out.gate_bias);
    linear("up", out.up, out.up_bias);
    linear("down", out.down, out.down_bias);
    norm(prefix + "attention_norm", out.attention_norm);
    norm(prefix + "attention_post_norm", out.attention_post_norm);
    norm(prefix + "ffn_norm", out.ffn_norm);
    norm(prefix + "ffn_post_norm", out.ffn_post_norm);
    vector(prefix + "q_norm", out.q_norm);
    vector(prefix + "k_norm", out.k_norm);
  }

  const float factor_;
  const bool tied_;
  std::unordered_map<std::string, const Parameter<float>*> by_name_;
  TrainedWeights made_;
};

}  // namespace

TrainedWeights trained_weights(const Parameters<float>& parameters, const LoraOptions& lora,
                               const model::DecoderWeights& base) {
  return Maker(parameters, lora, base).make();
}

}  // namespace plinth::train
