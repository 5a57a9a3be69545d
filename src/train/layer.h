// One layer of a decoder on a tape:
//   x += post_norm(attention(norm(x)));  x += post_norm(feed_forward(norm(x)))
#pragma once

#include <memory>
#include <vector>

#include "model/decoder_spec.h"
#include "train/batch.h"
#include "train/ops/rope.h"
#include "train/parameters.h"
#include "train/tape.h"
#include "train/weight.h"

namespace plinth::train {

// Both null where the model has no such norm.
template <typename T>
struct NormParameters {
  Parameter<T>* weight = nullptr;
  Parameter<T>* bias = nullptr;
};

// y = x W^T + bias + factor (x A^T) B^T; what is missing is null.
template <typename T>
struct LinearParameters {
  std::shared_ptr<Weight<T>> weight;  // shared as the decoder's others
  std::unique_ptr<Weight<T>> a, b;
  Parameter<T>* bias = nullptr;
  T factor = 0;
};

template <typename T>
struct LayerParameters {
  NormParameters<T> attention_norm, q_norm, k_norm, attention_post_norm, ffn_norm, ffn_post_norm;
  LinearParameters<T> q, k, v, o, gate, up, down;
};

// What the layers of one pass share.
template <typename T>
struct LayerPass {
  const std::vector<Document>* documents = nullptr;
  RopeAngles<T> global, local;
};

// What it is given outlives the tape's use.
template <typename T>
Var<T>& run_layer(Tape<T>& tape, const model::DecoderSpec& spec, const model::LayerSpec& layer_spec,
                  LayerParameters<T>& layer, const LayerPass<T>& pass, Var<T>& x);

template <typename T>
Var<T>& run_norm(Tape<T>& tape, const model::DecoderSpec& spec, Var<T>& x,
                 const NormParameters<T>& norm);

}  // namespace plinth::train
