// Tensors to the places of the description: one binder, a table of names for each file format.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "model/decoder/tensor_table.h"
#include "model/decoder_spec.h"

namespace plinth::model {

// Without ".weight" and ".bias"; the names of a layer follow layer_prefix, its number and a dot.
// "" = the format has no such tensor.
struct TensorNames {
  std::string embedding, positions, head, final_norm, layer_prefix;
  std::string attention_norm, attention_post_norm, ffn_norm, ffn_post_norm;
  std::string q, k, v, qkv, o, q_norm, k_norm;  // qkv: the three stacked by rows
  std::string gate, up, gate_up, down;          // gate_up: the two stacked by rows
  std::string router, expert_gate, expert_up, expert_down;
  bool experts_stacked = false;  // one tensor for all experts; else `{}` in the name is the expert
  bool transposed = false;       // attention and feed-forward matrices are stored as [in, out]
  bool norm_plus_one = false;    // rms weights are stored less 1
};

// InvalidArgument names a tensor that is missing or whose shape disagrees with the description.
absl::StatusOr<DecoderWeights> bind_weights(const DecoderSpec& spec, const TensorNames& names,
                                            TensorTable& table);

}  // namespace plinth::model
