// A decoder as a folder that Hugging Face's transformers loads: config.json, model.safetensors,
// generation_config.json, tokenizer.json, tokenizer_config.json, chat_template.jinja.
#pragma once

#include <string>

#include "base/status.h"
#include "model/model_file.h"

namespace plinth::model {

// Unimplemented names what transformers' class for the architecture has no place for.
absl::Status check_hf_folder(const ModelFile& model);

// `weights` in place of the file's own, which may be theirs; quantised ones are made plain.
// dtype: F32, F16 or BF16. What check_hf_folder() refuses writes nothing.
absl::Status write_hf_folder(const ModelFile& model, const DecoderWeights& weights,
                             tensor::DType dtype, const std::string& folder);

}  // namespace plinth::model
