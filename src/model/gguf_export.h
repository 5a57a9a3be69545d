// A decoder as one GGUF file, in the conventions of llama.cpp's converters: what models that are
// folders of safetensors need to be one. Models that are GGUF already are copied (gguf_copy.h).
#pragma once

#include <string>

#include "base/status.h"
#include "model/model_file.h"

namespace plinth::model {

struct GgufTypes {
  tensor::DType matrices = tensor::DType::q8_0;  // another one where rows do not divide into blocks
  tensor::DType outer = tensor::DType::q8_0;     // of the embedding and the head
};

// `weights` in place of the file's own, which may be theirs. The file has its name once it is
// complete. Unimplemented names what GGUF, or llama.cpp's reader of the architecture, has no place
// for; nothing is written then.
absl::Status write_gguf(const ModelFile& model, const DecoderWeights& weights,
                        const GgufTypes& types, const std::string& path);

}  // namespace plinth::model
