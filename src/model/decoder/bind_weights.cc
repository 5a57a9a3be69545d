#include "model/decoder/bind_weights.h"

#include <fmt/format.h>

namespace plinth::model {

namespace {

using tensor::MatrixView;

class Binder {
 public:
  Binder(const DecoderSpec& spec, const TensorNames& names, TensorTable& table)
      : spec_(spec), names_(names), table_(table) {}

  absl::StatusOr<DecoderWeights> bind() {
    DecoderWeights& weights = weights_;
    ASSIGN_OR_RETURN(weights.embedding,
                     table_.matrix(names_.embedding + ".weight", spec_.vocab, spec_.width));
    weights.head = weights.embedding;
    if (table_.has(names_.head + ".weight")) {
      ASSIGN_OR_RETURN(weights.head,
                       table_.matrix(names_.head + ".weight", spec_.vocab, spec_.width));
    }
    if (spec_.learned_positions) {
      ASSIGN_OR_RETURN(weights.positions,
                       table_.matrix(names_.positions + ".weight", spec_.context, spec_.width));
    }
    RETURN_IF_ERROR(norm(names_.final_norm, weights.final_norm));
    for (int i = 0; i < spec_.layers; ++i) {
      prefix_ = fmt::format("{}{}.", names_.layer_prefix, i);
      LayerWeights layer;
      RETURN_IF_ERROR(bind_attention(layer));
      RETURN_IF_ERROR(spec_.layer[static_cast<std::size_t>(i)].experts ? bind_experts(layer)
                                                                       : bind_feed_forward(layer));
      weights.layers.push_back(std::move(layer));
    }
    return std::move(weights_);
  }

 private:
  absl::Status rms_vector(const std::string& name, std::int64_t size, std::vector<float>& out) {
    RETURN_IF_ERROR(table_.vector(name + ".weight", size, out));
    if (names_.norm_plus_one) {
      for (float& value : out) value += 1;
    }
    return absl::OkStatus();
  }

  absl::Status norm(const std::string& name, NormWeights& out) {
    if (spec_.norm == NormKind::rms) return rms_vector(name, spec_.width, out.weight);
    RETURN_IF_ERROR(table_.vector(name + ".weight", spec_.width, out.weight));
    return table_.vector(name + ".bias", spec_.width, out.bias);
  }

  absl::StatusOr<MatrixView> matrix(const std::string& name, std::int64_t rows,
                                    std::int64_t columns) {
    const std::string full = prefix_ + name + ".weight";
    if (names_.transposed) return table_.transposed(full, rows, columns, weights_.reordered);
    return table_.matrix(full, rows, columns);
  }

  bool has_bias(const std::string& name) const { return table_.has(prefix_ + name + ".bias"); }

  absl::Status bias(const std::string& name, std::int64_t size, std::vector<float>& out) {
    if (!has_bias(name)) return absl::OkStatus();
    return table_.vector(prefix_ + name + ".bias", size, out);
  }

  absl::Status bind_attention(LayerWeights& layer) {
    const std::int64_t q_rows = std::int64_t{spec_.heads} * spec_.head_width;
    RETURN_IF_ERROR(norm(prefix_ + names_.attention_norm, layer.attention_norm));
    RETURN_IF_ERROR(names_.qkv.empty() ? bind_qkv(layer) : bind_fused_qkv(layer));
    ASSIGN_OR_RETURN(layer.o, matrix(names_.o, spec_.width, q_rows));
    RETURN_IF_ERROR(bias(names_.o, spec_.width, layer.o_bias));
    if (spec_.qk_norm) {
      RETURN_IF_ERROR(rms_vector(prefix_ + names_.q_norm, spec_.head_width, layer.q_norm));
      RETURN_IF_ERROR(rms_vector(prefix_ + names_.k_norm, spec_.head_width, layer.k_norm));
    }
    if (spec_.post_norms) {
      RETURN_IF_ERROR(norm(prefix_ + names_.attention_post_norm, layer.attention_post_norm));
      RETURN_IF_ERROR(norm(prefix_ + names_.ffn_post_norm, layer.ffn_post_norm));
    }
    return norm(prefix_ + names_.ffn_norm, layer.ffn_norm);
  }

  absl::Status bind_qkv(LayerWeights& layer) {
    const std::int64_t q_rows = std::int64_t{spec_.heads} * spec_.head_width;
    const std::int64_t kv_rows = std::int64_t{spec_.kv_heads} * spec_.head_width;
    ASSIGN_OR_RETURN(layer.q, matrix(names_.q, q_rows, spec_.width));
    ASSIGN_OR_RETURN(layer.k, matrix(names_.k, kv_rows, spec_.width));
    ASSIGN_OR_RETURN(layer.v, matrix(names_.v, kv_rows, spec_.width));
    // Qwen 2 has all three always; elsewhere one of them brings the others.
    const bool biased = spec_.architecture == "qwen2" || has_bias(names_.q) || has_bias(names_.k) ||
                        has_bias(names_.v);
    if (!biased) return absl::OkStatus();
    RETURN_IF_ERROR(table_.vector(prefix_ + names_.q + ".bias", q_rows, layer.q_bias));
    RETURN_IF_ERROR(table_.vector(prefix_ + names_.k + ".bias", kv_rows, layer.k_bias));
    return table_.vector(prefix_ + names_.v + ".bias", kv_rows, layer.v_bias);
  }

  absl::Status bind_fused_qkv(LayerWeights& layer) {
    const std::int64_t q_rows = std::int64_t{spec_.heads} * spec_.head_width;
    const std::int64_t kv_rows = std::int64_t{spec_.kv_heads} * spec_.head_width;
    ASSIGN_OR_RETURN(const auto qkv, matrix(names_.qkv, q_rows + 2 * kv_rows, spec_.width));
    layer.q = slice_rows(qkv, 0, q_rows);
    layer.k = slice_rows(qkv, q_rows, kv_rows);
    layer.v = slice_rows(qkv, q_rows + kv_rows, kv_rows);
    std::vector<float> all;
    RETURN_IF_ERROR(bias(names_.qkv, q_rows + 2 * kv_rows, all));
    if (all.empty()) return absl::OkStatus();
    const auto k = all.begin() + q_rows, v = k + kv_rows;
    layer.q_bias.assign(all.begin(), k);
    layer.k_bias.assign(k, v);
    layer.v_bias.assign(v, all.end());
    return absl::OkStatus();
  }

  absl::Status bind_feed_forward(LayerWeights& layer) {
    const std::int64_t width = spec_.width, ff = spec_.ff_width;
    if (!names_.gate_up.empty()) {
      ASSIGN_OR_RETURN(const auto both, matrix(names_.gate_up, 2 * ff, width));
      layer.gate = slice_rows(both, 0, ff);
      layer.up = slice_rows(both, ff, ff);
    } else {
      if (spec_.gated) {
        ASSIGN_OR_RETURN(layer.gate, matrix(names_.gate, ff, width));
        RETURN_IF_ERROR(bias(names_.gate, ff, layer.gate_bias));
      }
      ASSIGN_OR_RETURN(layer.up, matrix(names_.up, ff, width));
      RETURN_IF_ERROR(bias(names_.up, ff, layer.up_bias));
      if (spec_.gated && layer.gate_bias.empty() != layer.up_bias.empty()) {
        return base::invalid_argument(
            fmt::format("tensors {0}{1}.bias and {0}{2}.bias: one is missing", prefix_, names_.gate,
                        names_.up));
      }
    }
    ASSIGN_OR_RETURN(layer.down, matrix(names_.down, width, ff));
    return bias(names_.down, width, layer.down_bias);
  }

  absl::Status bind_experts(LayerWeights& layer) {
    const auto& experts = spec_.experts;
    const std::int64_t width = spec_.width, ff = experts.ff_width;
    ASSIGN_OR_RETURN(layer.router, matrix(names_.router, experts.count, width));
    const auto stack = [&](const std::string& name, std::int64_t rows, std::int64_t columns,
                           std::vector<MatrixView>& out) -> absl::Status {
      if (names_.experts_stacked) {
        return table_.matrices(prefix_ + name + ".weight", experts.count, rows, columns, out);
      }
      for (int i = 0; i < experts.count; ++i) {
        ASSIGN_OR_RETURN(const auto one, matrix(fmt::format(fmt::runtime(name), i), rows, columns));
        out.push_back(one);
      }
      return absl::OkStatus();
    };
    RETURN_IF_ERROR(stack(names_.expert_gate, ff, width, layer.expert_gate));
    RETURN_IF_ERROR(stack(names_.expert_up, ff, width, layer.expert_up));
    return stack(names_.expert_down, width, ff, layer.expert_down);
  }

  const DecoderSpec& spec_;
  const TensorNames& names_;
  TensorTable& table_;
  std::string prefix_;  // of the current layer
  DecoderWeights weights_;
};

}  // namespace

absl::StatusOr<DecoderWeights> bind_weights(const DecoderSpec& spec, const TensorNames& names,
                                            TensorTable& table) {
  return Binder(spec, names, table).bind();
}

}  // namespace plinth::model
