#include "train/whole_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/gguf_copy.h"

namespace plinth::train {

namespace {

// "layers.3.q.bias" as GGUF has it: "blk.3.attn_q.bias".
std::string gguf_name(std::string name) {
  static const std::map<std::string, std::string> kParts = {
      {"embedding", "token_embd"},
      {"positions", "position_embd"},
      {"final_norm", "output_norm"},
      {"head", "output"},
      {"attention_norm", "attn_norm"},
      {"attention_post_norm", "post_attention_norm"},
      {"ffn_norm", "ffn_norm"},
      {"ffn_post_norm", "post_ffw_norm"},
      {"q", "attn_q"},
      {"k", "attn_k"},
      {"v", "attn_v"},
      {"o", "attn_output"},
      {"q_norm", "attn_q_norm"},
      {"k_norm", "attn_k_norm"},
      {"gate", "ffn_gate"},
      {"up", "ffn_up"},
      {"down", "ffn_down"}};
  constexpr std::string_view kLayers = "layers.", kBias = ".bias";
  std::string prefix, kind = ".weight";
  if (name.size() > kBias.size() &&
      name.compare(name.size() - kBias.size(), kBias.size(), kBias) == 0) {
    name.resize(name.size() - kBias.size());
    kind = kBias;
  }
  if (name.compare(0, kLayers.size(), kLayers) == 0) {
    const auto end = name.find('.', kLayers.size());
    prefix = fmt::format("blk.{}.", name.substr(kLayers.size(), end - kLayers.size()));
    name.erase(0, end + 1);
  }
  return prefix + kParts.at(name) + kind;
}

tensor::MatrixView view_of(const float* values, std::int64_t rows, std::int64_t columns) {
  return {reinterpret_cast<const std::uint8_t*>(values), tensor::DType::f32, rows, columns};
}

class WholeWeights {
 public:
  WholeWeights(const Parameters<float>& parameters, const model::DecoderWeights& base)
      : weights_(base), tied_(base.head.data == base.embedding.data) {
    for (const auto& parameter : parameters.all()) by_name_[parameter.name] = &parameter;
  }

  model::DecoderWeights make() {
    auto& weights = weights_;
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
    return std::move(weights_);
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
    if (const auto* const own = find(name))
      out = view_of(own->value.data(), own->rows, own->columns);
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

  model::DecoderWeights weights_;
  const bool tied_;
  std::unordered_map<std::string, const Parameter<float>*> by_name_;
};

}  // namespace

model::DecoderWeights whole_weights(const Parameters<float>& parameters,
                                    const model::DecoderWeights& base) {
  return WholeWeights(parameters, base).make();
}

absl::Status write_whole_gguf(const Parameters<float>& parameters, const std::string& base_path,
                              tensor::DType dtype, const std::string& to) {
  model::GgufCopy copy{base_path, to, {}, dtype};
  for (const auto& parameter : parameters.all()) {
    copy.changes[gguf_name(parameter.name)] = [&parameter](std::int64_t row, float* numbers) {
      std::copy_n(parameter.value.data() + row * parameter.columns, parameter.columns, numbers);
    };
  }
  const auto status = model::copy_gguf(copy);
  if (!absl::IsNotFound(status)) return status;
  return base::unimplemented(fmt::format("[train] {} keeps a matrix in another form: {}", base_path,
                                         base::message(status)));
}

}  // namespace plinth::train
