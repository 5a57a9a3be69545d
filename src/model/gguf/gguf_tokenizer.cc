#include "model/gguf/gguf_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/tokenize/metaspace.h"

namespace plinth::model {

namespace {

absl::Status read_tokens(const Gguf& gguf, TokenizerSpec& spec) {
  ASSIGN_OR_RETURN(const auto* tokens, gguf.array<std::string_view>("tokenizer.ggml.tokens"));
  spec.tokens.assign(tokens->begin(), tokens->end());
  if (!gguf.metadata.contains("tokenizer.ggml.token_type")) return absl::OkStatus();
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
    const bool control = spec.types.back() == TokenType::control;
    if (control || spec.types.back() == TokenType::user_defined) {
      AddedToken added;
      added.id = static_cast<TokenId>(i);
      added.text = spec.tokens[i];
      added.special = control;
      spec.added.push_back(std::move(added));
    }
  }
  return absl::OkStatus();
}

absl::Status read_ids(const Gguf& gguf, TokenizerSpec& spec) {
  const std::pair<const char*, std::optional<TokenId>*> keys[] = {
      {"tokenizer.ggml.bos_token_id", &spec.bos},
      {"tokenizer.ggml.eos_token_id", &spec.eos},
      {"tokenizer.ggml.unknown_token_id", &spec.unk},
      {"tokenizer.ggml.padding_token_id", &spec.pad},
      {"tokenizer.ggml.cls_token_id", &spec.cls},
      // The misspelling is GGUF's.
      {"tokenizer.ggml.seperator_token_id", &spec.sep},
      {"tokenizer.ggml.mask_token_id", &spec.mask},
  };
  for (const auto& [key, out] : keys) {
    const auto value = gguf.integer(key);
    if (absl::IsNotFound(value.status())) continue;
    RETURN_IF_ERROR(value.status());
    if (*value < 0 || *value >= static_cast<std::int64_t>(spec.tokens.size())) {
      return base::invalid_argument(
          fmt::format("[gguf] {} is {}, outside the vocabulary", key, *value));
    }
    *out = static_cast<TokenId>(*value);
  }
  return absl::OkStatus();
}

bool flag(const Gguf& gguf, std::string_view key, bool otherwise) {
  const auto value = gguf.boolean(key);
  return value.ok() ? *value : otherwise;
}

absl::Status read_merges(const Gguf& gguf, TokenizerSpec& spec) {
  ASSIGN_OR_RETURN(const auto* merges, gguf.array<std::string_view>("tokenizer.ggml.merges"));
  for (std::size_t i = 0; i < merges->size(); ++i) {
    const auto merge = (*merges)[i];
    // A part may be a space, the first one too.
    const auto space = merge.find(' ', 1);
    if (space == std::string_view::npos) {
      return base::invalid_argument(
          fmt::format("[gguf] tokenizer.ggml.merges[{}] has no two parts", i));
    }
    spec.merges.push_back(
        {std::string(merge.substr(0, space)), std::string(merge.substr(space + 1))});
  }
  return absl::OkStatus();
}

absl::Status read_byte_level(const Gguf& gguf, TokenizerSpec& spec) {
  spec.kind = TokenizerKind::byte_level_bpe;
  const auto pre = gguf.text("tokenizer.ggml.pre");
  if (pre.ok()) spec.pre = std::string(*pre);
  RETURN_IF_ERROR(read_merges(gguf, spec));
  // Families whose files leave the key out and start every text with bos.
  const bool starts_with_bos = spec.pre == "llama-bpe" || spec.pre == "llama3" ||
                               spec.pre == "llama-v3" || spec.pre == "tekken";
  spec.add_bos = flag(gguf, "tokenizer.ggml.add_bos_token", starts_with_bos);
  spec.add_eos = flag(gguf, "tokenizer.ggml.add_eos_token", false);
  return absl::OkStatus();
}

absl::Status read_sentencepiece(const Gguf& gguf, bool gemma4, TokenizerSpec& spec) {
  spec.kind = TokenizerKind::sentencepiece_bpe;
  spec.pre = gemma4 ? "gemma4" : "llama";
  if (!gemma4) {
    ASSIGN_OR_RETURN(const auto* scores, gguf.array<double>("tokenizer.ggml.scores"));
    if (scores->size() != spec.tokens.size()) {
      return base::invalid_argument("[gguf] tokenizer.ggml.scores has another length than tokens");
    }
    for (const double score : *scores) spec.scores.push_back(static_cast<float>(score));
  } else {
    RETURN_IF_ERROR(read_merges(gguf, spec));
  }
  spec.add_space_prefix = flag(gguf, "tokenizer.ggml.add_space_prefix", !gemma4);
  spec.add_bos = flag(gguf, "tokenizer.ggml.add_bos_token", true);
  spec.add_eos = flag(gguf, "tokenizer.ggml.add_eos_token", false);
  return absl::OkStatus();
}

// Converters write "##ing" as "ing" and "word" as U+2581 and "word".
absl::Status read_wordpiece(TokenizerSpec& spec) {
  spec.kind = TokenizerKind::wordpiece;
  for (std::size_t i = 0; i < spec.tokens.size(); ++i) {
    std::string& token = spec.tokens[i];
    const bool special = !spec.types.empty() && spec.types[i] != TokenType::normal;
    if (token.starts_with(kMetaspace)) {
      token.erase(0, kMetaspace.size());
    } else if (!special && !(token.starts_with("[") && token.ends_with("]"))) {
      token.insert(0, spec.continuing_prefix);
    }
  }
  if (!spec.cls) spec.cls = spec.bos;
  if (!spec.sep) spec.sep = spec.eos;
  spec.lowercase = spec.strip_accents = true;
  return absl::OkStatus();
}

// Phi-3's control tokens take the white space after them, which GGUF has no field for.
void add_phi3_strips(std::string name, TokenizerSpec& spec) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (name.find("phi-3") == std::string::npos && name.find("phi3") == std::string::npos) return;
  for (auto& added : spec.added) {
    added.rstrip = added.special && added.text != "<s>" && added.text != "<unk>" &&
                   added.text != "<|endoftext|>";
  }
}

// Files that name another end of text still end a turn with one of these.
void add_ends(const Gguf& gguf, TokenizerSpec& spec) {
  static constexpr std::array<std::string_view, 11> kEnds = {
      "<|im_end|>",      "<|eot_id|>",           "<|endoftext|>",
      "<|end_of_text|>", "<|eom_id|>",           "<|end|>",
      "<end_of_turn>",   "<|return|>",           "<|END_OF_TURN_TOKEN|>",
      "<|call|>",        "<｜end▁of▁sentence｜>"};
  const auto add = [&](TokenId id) {
    auto& ends = spec.end_of_generation;
    if (std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
  };
  if (spec.eos) add(*spec.eos);
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    const auto id = gguf.integer(key);
    if (id.ok() && *id >= 0 && *id < static_cast<std::int64_t>(spec.tokens.size()))
      add(static_cast<TokenId>(*id));
  }
  // GPT-OSS's <|end|> ends a message of a channel, not the turn.
  const bool harmony = std::any_of(spec.added.begin(), spec.added.end(),
                                   [](const AddedToken& t) { return t.text == "<|return|>"; });
  for (const auto& added : spec.added) {
    if (!added.special || (harmony && added.text == "<|end|>")) continue;
    if (std::find(kEnds.begin(), kEnds.end(), added.text) != kEnds.end()) add(added.id);
  }
}

}  // namespace

absl::StatusOr<TokenizerSpec> tokenizer_spec_of(const Gguf& gguf) {
  TokenizerSpec spec;
  ASSIGN_OR_RETURN(const auto model, gguf.text("tokenizer.ggml.model"));
  RETURN_IF_ERROR(read_tokens(gguf, spec));
  RETURN_IF_ERROR(read_ids(gguf, spec));
  if (model == "gpt2") {
    RETURN_IF_ERROR(read_byte_level(gguf, spec));
  } else if (model == "llama" || model == "gemma4") {
    RETURN_IF_ERROR(read_sentencepiece(gguf, model == "gemma4", spec));
  } else if (model == "bert") {
    RETURN_IF_ERROR(read_wordpiece(spec));
  } else {
    return base::unimplemented(fmt::format(
        "[gguf] tokenizer.ggml.model {} is not supported (gpt2, llama, gemma4, bert are)",
        model.substr(0, 100)));
  }
  const auto name = gguf.text("general.name");
  if (name.ok()) add_phi3_strips(std::string(*name), spec);
  add_ends(gguf, spec);
  return spec;
}

}  // namespace plinth::model
