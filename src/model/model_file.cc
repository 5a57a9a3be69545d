#include "model/model_file.h"

#include <map>

#include "model/gguf/gguf_decoder.h"
#include "model/gguf/gguf_reader.h"

namespace plinth::model {

namespace {

absl::Status fill(const Gguf& gguf, ModelFile& file) {
  ASSIGN_OR_RETURN(file.spec, decoder_spec_of(gguf));
  ASSIGN_OR_RETURN(file.weights, decoder_weights_of(gguf, file.spec));
  ASSIGN_OR_RETURN(file.tokenizer, tokenizer_spec_of(gguf));
  if (static_cast<std::int64_t>(file.tokenizer.tokens.size()) > file.spec.vocab) {
    return base::invalid_argument(
        "[gguf] tokenizer.ggml.tokens has more entries than the embedding");
  }
  const auto text = [&](const char* key) {
    const auto value = gguf.text(key);
    return value.ok() ? std::string(*value) : std::string();
  };
  file.chat_template = text("tokenizer.chat_template");
  file.name = text("general.name");
  file.license = text("general.license");
  std::map<std::string_view, std::uint64_t> bytes_by_type;
  for (const auto& [name, tensor] : gguf.tensors) {
    std::int64_t elements = 1;
    for (const auto size : tensor.dims) elements *= size;
    file.parameters += elements;
    bytes_by_type[tensor::dtype_info(tensor.dtype).name] += tensor.bytes;
  }
  std::uint64_t most = 0;
  for (const auto& [name, bytes] : bytes_by_type) {
    if (bytes > most) {
      most = bytes;
      file.quantization = std::string(name);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelFile>> open_model(const std::string& path) {
  auto file = std::make_unique<ModelFile>();
  ASSIGN_OR_RETURN(file->mapping, base::MappedFile::open(path));
  const auto gguf = parse_gguf(file->mapping.bytes());
  if (!gguf.ok()) return base::annotate(gguf.status(), path);
  RETURN_IF_ERROR(base::annotate(fill(*gguf, *file), path));
  return file;
}

}  // namespace plinth::model
