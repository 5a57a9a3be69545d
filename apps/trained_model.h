// The model that a run of training leaves, in the forms in which others take it.
#pragma once

#include <string>

#include "base/status.h"
#include "model/model_file.h"
#include "train/decoder.h"

namespace plinth {

struct ModelForms {
  bool gguf = false;    // model.gguf
  bool folder = false;  // safetensors/, as Hugging Face's transformers loads it, in BF16
};

// GGUF where the base is such a file whose matrices lie as they are trained; the folder where that
// is not so, or was asked for. Unimplemented where neither can be: before anything is trained.
absl::StatusOr<ModelForms> model_forms(const std::string& base_path, const model::ModelFile& base,
                                       bool folder);

struct TrainedModel {
  std::string base_path, folder;
  train::LoraOptions lora;  // rank 0: the weights themselves learnt
};

// Returns the path of the one to serve; "" of no form.
absl::StatusOr<std::string> write_model(const ModelForms& forms, const TrainedModel& trained,
                                        const model::ModelFile& base,
                                        const train::Parameters<float>& parameters);

}  // namespace plinth
