// An embeddings model opened: description, weights (views into the mapped files) and tokenizer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "model/encoder_spec.h"
#include "model/tokenizer.h"

namespace plinth::model {

// Immutable. The weights' views live as long as it does.
struct EncoderFile {
  EncoderSpec spec;
  EncoderWeights weights;
  TokenizerSpec tokenizer;
  std::string name;
  std::string quantization;  // of most weight bytes: "f32"
  std::int64_t parameters = 0;
  // Shared, as its type is the format's own: the mapped files that the views point into.
  std::shared_ptr<const void> storage;
};

// True where `path` (a .gguf file or a Hugging Face folder) names an encoder's architecture, known
// to open_encoder() or not: what it says about itself decides, not whether it is whole. An error
// where it cannot be read.
absl::StatusOr<bool> is_encoder(const std::string& path);

// Reads a Hugging Face folder (config.json, modules.json and the pooling module's config, weights,
// tokenizer.json) or a GGUF file of architecture bert. Unimplemented names an architecture, module,
// pooling or activation that is not known; InvalidArgument the file and the field that is wrong.
absl::StatusOr<std::unique_ptr<EncoderFile>> open_encoder(const std::string& path);

}  // namespace plinth::model
