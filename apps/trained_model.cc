#include "apps/trained_model.h"

#include <filesystem>

#include "model/adapter_merge.h"
#include "model/hf_export.h"
#include "train/adapter.h"
#include "train/whole_model.h"

namespace plinth {

namespace {

// q, k and v, or gate and up, as one matrix of the file.
bool joins_matrices(const model::DecoderSpec& spec) {
  return spec.architecture == "gpt2" || spec.architecture == "phi3";
}

}  // namespace

absl::StatusOr<ModelForms> model_forms(const std::string& base_path, const model::ModelFile& base,
                                       bool folder) {
  ModelForms forms;
  forms.gguf = !std::filesystem::is_directory(base_path) && !joins_matrices(base.spec);
  forms.folder = folder || !forms.gguf;
  if (forms.folder) RETURN_IF_ERROR(model::check_hf_folder(base));
  return forms;
}

absl::StatusOr<std::string> write_model(const ModelForms& forms, const TrainedModel& trained,
                                        const model::ModelFile& base,
                                        const train::Parameters<float>& parameters) {
  const auto gguf = trained.folder + "/model.gguf", folder = trained.folder + "/safetensors";
  const bool whole = trained.lora.rank == 0;
  if (forms.folder) {
    const auto merged =
        whole
            ? model::MergedWeights{train::whole_weights(parameters, base.weights), {}}
            : model::merge_adapter(base.weights, train::trained_adapter(parameters, trained.lora));
    RETURN_IF_ERROR(model::write_hf_folder(base, merged.weights, tensor::DType::bf16, folder));
  }
  if (!forms.gguf) return forms.folder ? folder : "";
  RETURN_IF_ERROR(
      whole ? train::write_whole_gguf(parameters, trained.base_path, tensor::DType::q8_0, gguf)
            : train::write_merged_gguf(parameters, trained.lora, trained.base_path,
                                       tensor::DType::q8_0, gguf));
  return gguf;
}

}  // namespace plinth
