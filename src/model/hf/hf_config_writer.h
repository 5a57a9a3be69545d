// config.json and generation_config.json of a decoder, as transformers 4 and 5 read them.
#pragma once

#include "base/json.h"
#include "base/status.h"
#include "model/model_file.h"

namespace plinth::model {

// `weights` say which biases there are and whether the head is the embedding. Unimplemented names
// what has no place in the config of the architecture's class, or an architecture that is not
// written.
absl::StatusOr<base::json::object> hf_config(const DecoderSpec& spec, const DecoderWeights& weights,
                                             const TokenizerSpec& tokenizer, tensor::DType dtype);

base::json::object hf_generation_config(const TokenizerSpec& tokenizer);

}  // namespace plinth::model
