// A Hugging Face folder as a model: config.json, safetensors, tokenizer.json, and what stands
// beside them (generation_config.json, chat_template.jinja, the model card's licence).
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "model/model_file.h"

namespace plinth::model {

// Errors name the file and the field.
absl::StatusOr<std::unique_ptr<ModelFile>> open_hf_model(const std::string& folder);

}  // namespace plinth::model
