// The weights of one layer as the kernels read them: matrices that share their input are stacked.
#pragma once

#include <memory>
#include <vector>

#include "base/status.h"
#include "model/decoder_spec.h"
#include "tensor/linear.h"

namespace plinth::engine {

using Matrix = std::unique_ptr<const tensor::PackedLinear>;

// gate over up where gated, else up alone; and down.
struct PackedFeedForward {
  Matrix in;                                      // [2 * ff or ff, width]
  Matrix down;                                    // [width, ff]
  std::vector<float> in_bias;                     // [2 * ff or ff], or empty
  const std::vector<float>* down_bias = nullptr;  // [width]; may be empty
  int layer = -1;                                 // whose adapters apply; -1 = an expert, none
};

struct PackedLayer {
  const model::LayerWeights* weights = nullptr;  // norms and biases
  model::LayerSpec spec;
  int index = 0;
  Matrix qkv, o;
  std::vector<float> qkv_bias;     // [q + k + v], or empty
  PackedFeedForward feed_forward;  // of a dense layer
  Matrix router;                   // [experts, width], of a layer with experts
  std::vector<PackedFeedForward> experts;
};

// InvalidArgument where a matrix does not fit the blocks of its type.
absl::StatusOr<PackedLayer> pack_layer(const model::DecoderSpec& spec,
                                       const model::LayerWeights& weights, int index,
                                       const tensor::LinearOptions& options);

}  // namespace plinth::engine
