#include "model/hf/hf_model.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "model/decoder/type_tally.h"
#include "model/hf/hf_spec.h"
#include "model/limits.h"
#include "model/safetensors/safetensors_model.h"
#include "model/tokenizer_folder.h"

namespace plinth::model {

namespace {

namespace fs = std::filesystem;
namespace json = base::json;

absl::StatusOr<json::object> read_object(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, base::read_file(path, kConfigFileBytesMax));
  auto parsed = base::parse_json(text);
  if (!parsed.ok()) return base::annotate(parsed.status(), path);
  if (!parsed->is_object()) return base::invalid_argument(path + " is no JSON object");
  return std::move(parsed->as_object());
}

// Where the language model's tensors begin: bare, as saved by a *ForCausalLM, or inside a model of
// several parts.
std::string tensor_prefix(const SafetensorsModel& tensors, const DecoderSpec& spec) {
  const bool gpt2 = spec.architecture == "gpt2";
  for (const char* prefix :
       {"model.", "transformer.", "language_model.model.", "model.language_model.", ""}) {
    if (tensors.has(std::string(prefix) + (gpt2 ? "wte.weight" : "embed_tokens.weight"))) {
      return prefix;
    }
  }
  return gpt2 ? "" : "model.";
}

// Tensors that no description asks for and that change nothing: buffers which older folders keep,
// the other towers of a model of several parts, and a head that the config ties.
bool is_bystander(const std::string& name, const std::string& prefix, bool tied) {
  if (name.ends_with("rotary_emb.inv_freq")) return true;
  if (name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias")) return true;
  if (name == "lm_head.weight" || name == "language_model.lm_head.weight") return tied;
  const bool several = prefix.find("language_model") != std::string::npos;
  return several && !name.starts_with(prefix);
}

absl::StatusOr<DecoderWeights> read_weights(const SafetensorsModel& model, const DecoderSpec& spec,
                                            const json::object& config) {
  const std::string prefix = tensor_prefix(model, spec);
  const auto names = hf_tensor_names(spec, config, prefix);
  std::map<std::string, StoredTensor, std::less<>> tensors;
  for (const auto& [name, tensor] : model.tensors()) {
    if (is_bystander(name, prefix, names.head.empty())) continue;
    if (!tensor.dtype.has_value()) {
      return base::unimplemented(
          fmt::format("tensor {} has type {}, which is not supported", name, tensor.type));
    }
    tensors.emplace(name, StoredTensor{*tensor.dtype, tensor.shape, tensor.data, tensor.offset});
  }
  TensorTable table(std::move(tensors));
  if (!names.head.empty() && !table.has(names.head + ".weight") &&
      config.if_contains("tie_word_embeddings") != nullptr) {
    return table.find(names.head + ".weight").status();
  }
  ASSIGN_OR_RETURN(auto weights, bind_weights(spec, names, table));
  RETURN_IF_ERROR(table.check_all_used(spec.architecture));
  return weights;
}

// `license:` of the model card's front matter; "" where there is none.
std::string card_license(const std::string& folder) {
  const auto card = base::read_file(folder + "/README.md", kStringBytesMax);
  if (!card.ok() || !card->starts_with("---\n")) return "";
  const std::string front = card->substr(0, card->find("\n---", 4));
  const auto at = front.find("\nlicense: ");
  if (at == std::string::npos) return "";
  const auto begin = at + std::string_view("\nlicense: ").size();
  return front.substr(begin, front.find('\n', begin) - begin);
}

absl::Status fill(const std::string& folder, const SafetensorsModel& tensors, ModelFile& file) {
  ASSIGN_OR_RETURN(const auto config, read_object(folder + "/config.json"));
  auto spec = hf_decoder_spec(config);
  if (!spec.ok()) return base::annotate(spec.status(), folder);
  file.spec = *std::move(spec);
  auto weights = read_weights(tensors, file.spec, config);
  if (!weights.ok()) return base::annotate(weights.status(), folder);
  file.weights = *std::move(weights);
  ASSIGN_OR_RETURN(file.tokenizer, read_tokenizer_folder(folder));
  ASSIGN_OR_RETURN(file.chat_template, read_chat_template(folder));
  file.license = card_license(folder);
  file.name = fs::path(folder).filename().string();
  TypeTally tally;
  for (const auto& [name, tensor] : tensors.tensors()) {
    std::int64_t elements = 1;
    for (const auto size : tensor.shape) elements *= size;
    tally.add(tensor.dtype ? tensor::dtype_info(*tensor.dtype).name : tensor.type, elements,
              tensor.bytes);
  }
  tally.fill(file);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelFile>> open_hf_model(const std::string& folder) {
  auto file = std::make_unique<ModelFile>();
  std::error_code error;
  if (!fs::exists(folder + "/config.json", error)) {
    return base::invalid_argument(folder + ": has no config.json and so is no model's folder");
  }
  ASSIGN_OR_RETURN(std::shared_ptr<SafetensorsModel> tensors, SafetensorsModel::open(folder));
  RETURN_IF_ERROR(fill(folder, *tensors, *file));
  file->mappings = tensors->mappings();
  file->storage = std::move(tensors);
  return file;
}

}  // namespace plinth::model
