#include "model/encoder_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "model/encoder/hf_config.h"
#include "model/encoder/hf_encoder.h"
#include "model/gguf/gguf_encoder.h"
#include "model/gguf/gguf_set.h"
#include "model/gguf/gguf_tokenizer.h"
#include "model/safetensors/safetensors_model.h"
#include "model/tokenizer_folder.h"

namespace plinth::model {

namespace {

bool is_folder(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

// Counts parameters, and bytes by type, to name the type that most of the weights have.
class Tally {
 public:
  void add(tensor::DType dtype, const std::vector<std::int64_t>& shape, std::uint64_t bytes) {
    std::int64_t elements = 1;
    for (const auto size : shape) elements *= size;
    parameters_ += elements;
    bytes_[tensor::dtype_info(dtype).name] += bytes;
  }
  void fill(EncoderFile& file) const {
    file.parameters = parameters_;
    std::uint64_t most = 0;
    for (const auto& [name, bytes] : bytes_) {
      if (bytes <= most) continue;
      most = bytes;
      file.quantization = std::string(name);
    }
  }

 private:
  std::int64_t parameters_ = 0;
  std::map<std::string_view, std::uint64_t> bytes_;
};

absl::Status fill_from_gguf(const Gguf& gguf, EncoderFile& file) {
  ASSIGN_OR_RETURN(file.spec, gguf_encoder_spec(gguf));
  ASSIGN_OR_RETURN(file.weights, gguf_encoder_weights(gguf, file.spec));
  ASSIGN_OR_RETURN(file.tokenizer, tokenizer_spec_of(gguf));
  const auto name = gguf.text("general.name");
  if (name.ok()) file.name = std::string(*name);
  Tally tally;
  for (const auto& [unused, tensor] : gguf.tensors) {
    tally.add(tensor.dtype, tensor.dims, tensor.bytes);
  }
  tally.fill(file);
  return absl::OkStatus();
}

absl::Status fill_from_folder(const std::string& path, EncoderFile& file) {
  ASSIGN_OR_RETURN(const auto config, read_hf_encoder_config(path));
  file.spec = config.spec;
  ASSIGN_OR_RETURN(std::shared_ptr<SafetensorsModel> weights,
                   SafetensorsModel::open(config.transformer_folder));
  ASSIGN_OR_RETURN(file.weights, hf_encoder_weights(*weights, file.spec));
  ASSIGN_OR_RETURN(file.tokenizer, read_tokenizer_folder(config.transformer_folder));
  file.name = std::filesystem::path(path).filename().string();
  Tally tally;
  for (const auto& [unused, tensor] : weights->tensors()) {
    if (tensor.dtype.has_value()) tally.add(*tensor.dtype, tensor.shape, tensor.bytes);
  }
  tally.fill(file);
  file.storage = std::move(weights);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> is_encoder(const std::string& path) {
  if (is_folder(path)) {
    ASSIGN_OR_RETURN(const std::string type, hf_model_type(path));
    return is_encoder_type(type);
  }
  if (!path.ends_with(".gguf")) return false;
  ASSIGN_OR_RETURN(const auto set, open_gguf(path));
  const auto architecture = set->table.text("general.architecture");
  if (!architecture.ok()) return base::annotate(architecture.status(), path);
  return architecture->find("bert") != std::string_view::npos;
}

absl::StatusOr<std::unique_ptr<EncoderFile>> open_encoder(const std::string& path) {
  auto file = std::make_unique<EncoderFile>();
  if (is_folder(path)) {
    RETURN_IF_ERROR(fill_from_folder(path, *file));
    return file;
  }
  ASSIGN_OR_RETURN(std::shared_ptr<GgufSet> set, open_gguf(path));
  RETURN_IF_ERROR(base::annotate(fill_from_gguf(set->table, *file), path));
  file->storage = std::move(set);
  return file;
}

}  // namespace plinth::model
