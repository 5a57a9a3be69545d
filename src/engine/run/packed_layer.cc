#include "engine/run/packed_layer.h"

namespace plinth::engine {

namespace {

using tensor::MatrixView;

absl::StatusOr<Matrix> pack(std::span<const MatrixView> parts,
                            const tensor::LinearOptions& options) {
  ASSIGN_OR_RETURN(auto packed, tensor::pack_linear(parts, options));
  return Matrix(std::move(packed));
}

absl::StatusOr<PackedFeedForward> pack_feed_forward(bool gated, const MatrixView& gate,
                                                    const MatrixView& up, const MatrixView& down,
                                                    const tensor::LinearOptions& options) {
  PackedFeedForward packed;
  const MatrixView in[] = {gate, up};
  ASSIGN_OR_RETURN(packed.in, pack(std::span(in).subspan(gated ? 0 : 1), options));
  ASSIGN_OR_RETURN(packed.down, pack({&down, 1}, options));
  return packed;
}

}  // namespace

absl::StatusOr<PackedLayer> pack_layer(const model::DecoderSpec& spec,
                                       const model::LayerWeights& weights, int index,
                                       const tensor::LinearOptions& options) {
  PackedLayer layer;
  layer.weights = &weights;
  layer.spec = spec.layer[static_cast<std::size_t>(index)];
  layer.index = index;
  const MatrixView qkv[] = {weights.q, weights.k, weights.v};
  ASSIGN_OR_RETURN(layer.qkv, pack(qkv, options));
  ASSIGN_OR_RETURN(layer.o, pack({&weights.o, 1}, options));
  for (const auto* bias : {&weights.q_bias, &weights.k_bias, &weights.v_bias}) {
    layer.qkv_bias.insert(layer.qkv_bias.end(), bias->begin(), bias->end());
  }
  if (!layer.spec.experts) {
    ASSIGN_OR_RETURN(layer.feed_forward, pack_feed_forward(spec.gated, weights.gate, weights.up,
                                                           weights.down, options));
    auto& bias = layer.feed_forward.in_bias;
    bias = weights.gate_bias;
    bias.insert(bias.end(), weights.up_bias.begin(), weights.up_bias.end());
    layer.feed_forward.down_bias = &weights.down_bias;
    layer.feed_forward.layer = index;
    return layer;
  }
  // A rounding error here would send a token to other experts, so the router is never quantised.
  tensor::LinearOptions exact = options;
  exact.mode = tensor::LinearMode::exact;
  ASSIGN_OR_RETURN(layer.router, pack({&weights.router, 1}, exact));
  for (std::size_t i = 0; i < weights.expert_up.size(); ++i) {
    ASSIGN_OR_RETURN(auto expert,
                     pack_feed_forward(spec.gated, weights.expert_gate[i], weights.expert_up[i],
                                       weights.expert_down[i], options));
    layer.experts.push_back(std::move(expert));
  }
  return layer;
}

}  // namespace plinth::engine
