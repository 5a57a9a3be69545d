#include "model/model_file.h"

#include <fmt/format.h>

#include <filesystem>

#include "model/decoder/type_tally.h"
#include "model/gguf/gguf_decoder.h"
#include "model/gguf/gguf_set.h"
#include "model/gguf/gguf_tokenizer.h"
#include "model/hf/hf_model.h"

namespace plinth::model {

namespace {

absl::Status fill(const Gguf& gguf, ModelFile& file) {
  ASSIGN_OR_RETURN(file.spec, decoder_spec_of(gguf));
  ASSIGN_OR_RETURN(file.weights, decoder_weights_of(gguf, file.spec));
  ASSIGN_OR_RETURN(file.tokenizer, tokenizer_spec_of(gguf));
  const auto text = [&](const char* key) {
    const auto value = gguf.text(key);
    return value.ok() ? std::string(*value) : std::string();
  };
  file.chat_template = text("tokenizer.chat_template");
  file.name = text("general.name");
  file.license = text("general.license");
  TypeTally tally;
  for (const auto& [name, tensor] : gguf.tensors) {
    std::int64_t elements = 1;
    for (const auto size : tensor.dims) elements *= size;
    tally.add(tensor::dtype_info(tensor.dtype).name, elements, tensor.bytes);
  }
  tally.fill(file);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ModelFile>> open_gguf_model(const std::string& path) {
  auto file = std::make_unique<ModelFile>();
  ASSIGN_OR_RETURN(std::shared_ptr<GgufSet> set, open_gguf(path));
  RETURN_IF_ERROR(base::annotate(fill(set->table, *file), path));
  for (const auto& part : set->files) file->mappings.push_back(part.bytes());
  file->storage = std::move(set);
  return file;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelFile>> open_model(const std::string& path) {
  std::error_code error;
  const bool folder = std::filesystem::is_directory(path, error);
  ASSIGN_OR_RETURN(auto file, folder ? open_hf_model(path) : open_gguf_model(path));
  const auto tokens = static_cast<std::int64_t>(file->tokenizer.tokens.size());
  if (tokens > file->spec.vocab) {
    return base::invalid_argument(fmt::format("{}: the tokenizer has {} tokens, the embedding {}",
                                              path, tokens, file->spec.vocab));
  }
  return file;
}

}  // namespace plinth::model
