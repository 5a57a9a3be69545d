#include "train/layer.h"

#include "train/ops/activation.h"
#include "train/ops/attention.h"
#include "train/ops/linear.h"
#include "train/ops/norm.h"

namespace plinth::train {

namespace {

template <typename T>
Var<T>& leaf(Tape<T>& tape, Parameter<T>& parameter) {
  T* grad = parameter.learns() ? parameter.grad.data() : nullptr;
  return tape.leaf(parameter.value.data(), grad, parameter.rows, parameter.columns);
}

template <typename T>
Var<T>& run_linear(Tape<T>& tape, LinearParameters<T>& parameters, Var<T>& x) {
  auto& weight = *parameters.weight;
  Var<T>* y = parameters.a == nullptr ? &linear(tape, x, weight)
                                      : &linear_low_rank(tape, x, weight, *parameters.a,
                                                         *parameters.b, parameters.factor);
  if (parameters.bias != nullptr) y = &add_bias(tape, *y, leaf(tape, *parameters.bias));
  return *y;
}

// A query's or key's heads, normed and turned.
template <typename T>
Var<T>& finish_heads(Tape<T>& tape, const model::DecoderSpec& spec, const RopeAngles<T>* angles,
                     const NormParameters<T>& norm, Var<T>& heads) {
  Var<T>* x = &heads;
  if (norm.weight != nullptr) {
    x = &rms_norm_heads(tape, *x, leaf(tape, *norm.weight), static_cast<T>(spec.norm_epsilon));
  }
  return angles == nullptr ? *x : rope(tape, *x, *angles, spec.head_width);
}

template <typename T>
Var<T>& run_attention(Tape<T>& tape, const model::DecoderSpec& spec,
                      const model::LayerSpec& layer_spec, LayerParameters<T>& layer,
                      const LayerPass<T>& pass, Var<T>& x) {
  const RopeAngles<T>* angles = nullptr;
  if (layer_spec.rope == model::LayerRope::global) angles = &pass.global;
  if (layer_spec.rope == model::LayerRope::local) angles = &pass.local;
  Var<T>& q = finish_heads(tape, spec, angles, layer.q_norm, run_linear(tape, layer.q, x));
  Var<T>& k = finish_heads(tape, spec, angles, layer.k_norm, run_linear(tape, layer.k, x));
  Var<T>& v = run_linear(tape, layer.v, x);
  AttentionShape shape{spec.heads, spec.kv_heads, spec.head_width};
  shape.scale = spec.attention_scale;
  shape.softcap = spec.attention_softcap;
  shape.window = layer_spec.window;
  return run_linear(tape, layer.o, attention(tape, q, k, v, shape, *pass.documents));
}

template <typename T>
Var<T>& run_feed_forward(Tape<T>& tape, const model::DecoderSpec& spec, LayerParameters<T>& layer,
                         Var<T>& x) {
  if (!spec.gated) {
    Var<T>& inner = activate(tape, run_linear(tape, layer.up, x), spec.activation);
    return run_linear(tape, layer.down, inner);
  }
  Var<T>& gate = run_linear(tape, layer.gate, x);
  Var<T>& up = run_linear(tape, layer.up, x);
  return run_linear(tape, layer.down, activate_gated(tape, gate, up, spec.activation));
}

}  // namespace

template <typename T>
Var<T>& run_norm(Tape<T>& tape, const model::DecoderSpec& spec, Var<T>& x,
                 const NormParameters<T>& norm) {
  const auto epsilon = static_cast<T>(spec.norm_epsilon);
  Var<T>& weight = leaf(tape, *norm.weight);
  if (spec.norm == model::NormKind::rms) return rms_norm(tape, x, weight, epsilon);
  Var<T>* bias = norm.bias == nullptr ? nullptr : &leaf(tape, *norm.bias);
  return layer_norm(tape, x, weight, bias, epsilon);
}

template <typename T>
Var<T>& run_layer(Tape<T>& tape, const model::DecoderSpec& spec, const model::LayerSpec& layer_spec,
                  LayerParameters<T>& layer, const LayerPass<T>& pass, Var<T>& x) {
  Var<T>* branch = &run_attention(tape, spec, layer_spec, layer, pass,
                                  run_norm(tape, spec, x, layer.attention_norm));
  if (spec.post_norms) branch = &run_norm(tape, spec, *branch, layer.attention_post_norm);
  Var<T>& middle = add(tape, x, *branch);
  branch = &run_feed_forward(tape, spec, layer, run_norm(tape, spec, middle, layer.ffn_norm));
  if (spec.post_norms) branch = &run_norm(tape, spec, *branch, layer.ffn_post_norm);
  return add(tape, middle, *branch);
}

template Var<float>& run_layer(Tape<float>&, const model::DecoderSpec&, const model::LayerSpec&,
                               LayerParameters<float>&, const LayerPass<float>&, Var<float>&);
template Var<double>& run_layer(Tape<double>&, const model::DecoderSpec&, const model::LayerSpec&,
                                LayerParameters<double>&, const LayerPass<double>&, Var<double>&);
template Var<float>& run_norm(Tape<float>&, const model::DecoderSpec&, Var<float>&,
                              const NormParameters<float>&);
template Var<double>& run_norm(Tape<double>&, const model::DecoderSpec&, Var<double>&,
                               const NormParameters<double>&);

}  // namespace plinth::train
