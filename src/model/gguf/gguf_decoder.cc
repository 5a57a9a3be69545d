#include <fmt/format.h>

#include "model/gguf/gguf_decoder.h"

namespace plinth::model {

absl::StatusOr<TokenizerSpec> tokenizer_spec_of(const Gguf& gguf) {
  TokenizerSpec spec;
  ASSIGN_OR_RETURN(const auto model, gguf.text("tokenizer.ggml.model"));
  if (model != "gpt2") {
    return base::unimplemented(
        fmt::format("[gguf] tokenizer.ggml.model {} is not supported (gpt2 is)", model));
  }
  spec.kind = TokenizerKind::byte_level_bpe;
  const auto pre = gguf.text("tokenizer.ggml.pre");
  if (pre.ok()) spec.pre = std::string(*pre);
  ASSIGN_OR_RETURN(const auto* tokens, gguf.array<std::string_view>("tokenizer.ggml.tokens"));
  ASSIGN_OR_RETURN(const auto* merges, gguf.array<std::string_view>("tokenizer.ggml.merges"));
  for (const auto token : *tokens) spec.tokens.emplace_back(token);
  for (const auto merge : *merges) spec.merges.emplace_back(merge);
  if (gguf.metadata.contains("tokenizer.ggml.token_type")) {
    ASSIGN_OR_RETURN(const auto* types, gguf.array<std::int64_t>("tokenizer.ggml.token_type"));
    if (types->size() != tokens->size()) {
      return base::invalid_argument(
          "[gguf] tokenizer.ggml.token_type has another length than tokens");
    }
    for (std::size_t i = 0; i < types->size(); ++i) {
      const auto type = (*types)[i];
      if (type < 1 || type > 6) {
        return base::invalid_argument(
            fmt::format("[gguf] tokenizer.ggml.token_type[{}] is {}", i, type));
      }
      spec.types.push_back(static_cast<TokenType>(type - 1));
      // 3 = control, 4 = user-defined: both are matched before the text is split.
      if (type == 3 || type == 4) {
        AddedToken added;
        added.id = static_cast<TokenId>(i);
        added.text = spec.tokens[i];
        added.special = type == 3;
        spec.added.push_back(std::move(added));
      }
    }
  }
  const auto id = [&](const char* key, std::optional<TokenId>& out) -> absl::Status {
    const auto value = gguf.integer(key);
    if (absl::IsNotFound(value.status())) return absl::OkStatus();
    RETURN_IF_ERROR(value.status());
    if (*value < 0 || *value >= static_cast<std::int64_t>(tokens->size())) {
      return base::invalid_argument(
          fmt::format("[gguf] {} is {}, outside the vocabulary", key, *value));
    }
    out = static_cast<TokenId>(*value);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(id("tokenizer.ggml.bos_token_id", spec.bos));
  RETURN_IF_ERROR(id("tokenizer.ggml.eos_token_id", spec.eos));
  RETURN_IF_ERROR(id("tokenizer.ggml.unknown_token_id", spec.unk));
  RETURN_IF_ERROR(id("tokenizer.ggml.padding_token_id", spec.pad));
  const auto add_bos = gguf.boolean("tokenizer.ggml.add_bos_token");
  spec.add_bos = add_bos.ok() && *add_bos;
  if (spec.eos.has_value()) spec.end_of_generation.push_back(*spec.eos);
  // Files that name another end of text still end a turn with one of these.
  for (const auto& added : spec.added) {
    for (const char* text : {"<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end_of_text|>"}) {
      if (added.special && added.text == text && added.id != spec.eos) {
        spec.end_of_generation.push_back(added.id);
      }
    }
  }
  return spec;
}

}  // namespace plinth::model
