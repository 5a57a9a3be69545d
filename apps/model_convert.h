// An installed model in another form than its files': for transformers, for llama.cpp, in another
// type, with its adapter in it.
#pragma once

#include <string>

#include "apps/home_models.h"
#include "base/status.h"
#include "cluster/model_library.h"

namespace plinth {

struct ConvertOptions {
  std::string format;  // "gguf", or "safetensors": a folder as Hugging Face's transformers loads it
  std::string type;    // of matrices: "q4_0"; "" = Q8_0, of a folder BF16
};

// `target` must be new. Errors say what stands against it. Sealed adapters leave the home plain.
absl::Status convert_model(const cluster::ModelLibrary& library, HomeModels& home,
                           const cluster::InstalledModel& model, const ConvertOptions& options,
                           const std::string& target);

}  // namespace plinth
