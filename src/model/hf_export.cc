#include "model/hf_export.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/file.h"
#include "model/decoder/decoder_arrays.h"
#include "model/hf/hf_config_writer.h"
#include "model/hf/hf_spec.h"
#include "model/safetensors_writer.h"
#include "model/tokenize/tokenizer_json_writer.h"

namespace plinth::model {

namespace {

bool flag(const base::json::object& config, std::string_view name) {
  const auto* value = config.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

absl::Status write_json(const std::string& path, const base::json::object& object) {
  return base::write_file_atomic(path, base::to_json(object) + "\n");
}

}  // namespace

absl::Status check_hf_folder(const ModelFile& model) {
  RETURN_IF_ERROR(
      hf_config(model.spec, model.weights, model.tokenizer, tensor::DType::bf16).status());
  return tokenizer_json(model.tokenizer).status();
}

absl::Status write_hf_folder(const ModelFile& model, const DecoderWeights& weights,
                             tensor::DType dtype, const std::string& folder) {
  const auto& spec = model.spec;
  ASSIGN_OR_RETURN(const auto config, hf_config(spec, weights, model.tokenizer, dtype));
  ASSIGN_OR_RETURN(const auto tokenizer, tokenizer_json(model.tokenizer));
  RETURN_IF_ERROR(base::make_folders(folder));
  auto names =
      hf_tensor_names(spec, config, spec.architecture == "gpt2" ? "transformer." : "model.");
  const DecoderArrays arrays{
      .names = std::move(names),
      .order = HeadOrder::halves,
      .attention_bias = flag(config, "attention_bias"),
      .mlp_bias = flag(config, "mlp_bias"),
  };
  RETURN_IF_ERROR(write_safetensors(folder + "/model.safetensors",
                                    decoder_arrays(spec, weights, arrays), dtype));
  RETURN_IF_ERROR(write_json(folder + "/tokenizer.json", tokenizer));
  RETURN_IF_ERROR(
      write_json(folder + "/tokenizer_config.json", tokenizer_config_json(model.tokenizer)));
  RETURN_IF_ERROR(
      write_json(folder + "/generation_config.json", hf_generation_config(model.tokenizer)));
  if (!model.chat_template.empty()) {
    RETURN_IF_ERROR(base::write_file_atomic(folder + "/chat_template.jinja", model.chat_template));
  }
  // Last: a folder without it is none.
  return write_json(folder + "/config.json", config);
}

}  // namespace plinth::model
