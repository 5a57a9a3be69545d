// A model opened: description, weights (views into the mapped files), tokenizer and template.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/decoder_spec.h"
#include "model/tokenizer.h"

namespace plinth::model {

// Immutable. The weights' views live as long as it does.
struct ModelFile {
  DecoderSpec spec;
  DecoderWeights weights;
  TokenizerSpec tokenizer;
  std::string chat_template;  // "" where the file has none
  std::string name;           // general.name
  std::string license;
  std::string quantization;  // of most weight bytes: "q4_1"
  std::int64_t parameters = 0;
  // Shared, as its type is the format's own: the mapped files that the views point into.
  std::shared_ptr<const void> storage;
  std::vector<std::span<const std::uint8_t>> mappings;  // those files, whole
};

// Opens a GGUF file, the first file of a split one, or a Hugging Face folder (config.json,
// safetensors, tokenizer.json). Errors name the file, the field and, inside a header, the offset.
absl::StatusOr<std::unique_ptr<ModelFile>> open_model(const std::string& path);

}  // namespace plinth::model
