// A model file opened: description, weights (views into the mapping), tokenizer and template.
#pragma once

#include <memory>
#include <string>

#include "base/file.h"
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
  base::MappedFile mapping;
};

// Opens a GGUF file. Errors name the file, the field and, inside the header, the byte offset.
absl::StatusOr<std::unique_ptr<ModelFile>> open_model(const std::string& path);

}  // namespace plinth::model
