// A decoder's weights as the arrays of a file, in that format's names and orders: the way back of
// bind_weights.h.
#pragma once

#include <vector>

#include "model/decoder/bind_weights.h"
#include "model/safetensors_writer.h"

namespace plinth::model {

// Of the rows of queries and keys (head_rows.h).
enum class HeadOrder : std::uint8_t { halves, neighbours };

struct DecoderArrays {
  TensorNames names;  // an empty head: it is tied to the embedding
  HeadOrder order = HeadOrder::halves;
  // Biases are there, as zeros, where the model has none.
  bool attention_bias = false, mlp_bias = false;
};

// A dense decoder's. The arrays refer to `spec` and `weights`.
std::vector<RowArray> decoder_arrays(const DecoderSpec& spec, const DecoderWeights& weights,
                                     const DecoderArrays& arrays);

}  // namespace plinth::model
