// The JSON files of a sentence-transformers folder as an EncoderSpec.
#pragma once

#include <string>

#include "base/json.h"
#include "base/status.h"
#include "model/encoder_spec.h"

namespace plinth::model {

// A JSON object from a file of the folder; errors name the file.
absl::StatusOr<base::json::object> read_json_object(const std::string& path);

struct HfEncoderConfig {
  EncoderSpec spec;
  std::string transformer_folder;  // where config.json and the weights are
};

// Reads config.json, modules.json, the pooling module's config.json and sentence_bert_config.json;
// all but the first may be absent: then vectors are the mean of the tokens, not normalised.
absl::StatusOr<HfEncoderConfig> read_hf_encoder_config(const std::string& folder);

// model_type of config.json in `folder`, through modules.json; "" where it states none.
absl::StatusOr<std::string> hf_model_type(const std::string& folder);

// Every model_type of an encoder, supported or not.
bool is_encoder_type(std::string_view model_type);

}  // namespace plinth::model
