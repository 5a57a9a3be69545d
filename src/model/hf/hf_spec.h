// The decoder description from a Hugging Face config.json, as transformers 4 and 5 write it.
#pragma once

#include "base/json.h"
#include "base/status.h"
#include "model/decoder/bind_weights.h"
#include "model/decoder_spec.h"

namespace plinth::model {

// config: the whole document; where it describes several models (text_config), the language model.
// Unimplemented names a model_type or an option that is not known; InvalidArgument names a field.
absl::StatusOr<DecoderSpec> hf_decoder_spec(const base::json::object& config);

// The names of the architecture's tensors behind `prefix` ("model.", "", ...). The head is left out
// where the config ties it to the embedding.
TensorNames hf_tensor_names(const DecoderSpec& spec, const base::json::object& config,
                            std::string_view prefix);

}  // namespace plinth::model
