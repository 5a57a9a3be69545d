#include "model/tokenize/tokenizer_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "model/limits.h"
#include "model/tokenize/json_fields.h"
#include "model/tokenize/tokenizer_stages.h"

namespace plinth::model {

namespace {

absl::Status place_token(const JsonField& field, std::int64_t id, std::string_view text,
                         TokenizerSpec& spec) {
  if (id < 0 || id >= kVocabMax) return field.wrong(fmt::format("id {} is out of range", id));
  if (text.size() > kTokenBytesMax) {
    return field.wrong(fmt::format("token {} has {} bytes", id, text.size()));
  }
  const auto at = static_cast<std::size_t>(id);
  if (at >= spec.tokens.size()) spec.tokens.resize(at + 1);
  spec.tokens[at] = text;
  return absl::OkStatus();
}

absl::Status read_vocab(const JsonField& model, TokenizerSpec& spec) {
  ASSIGN_OR_RETURN(const auto vocab, model.required("vocab"));
  RETURN_IF_ERROR(vocab.expect_object());
  const auto& object = vocab.value().get_object();
  // Ids are dense: a file of few entries cannot ask for a vocabulary of millions.
  const auto id_max = static_cast<std::int64_t>(object.size()) + kVocabHolesMax;
  for (const auto& [text, id] : object) {
    if (!id.is_int64() || id.get_int64() >= id_max) {
      return vocab.wrong(fmt::format(
          "id of token \"{}\" is not an integer below {}",
          std::string_view(text.data(), std::min<std::size_t>(text.size(), 100)), id_max));
    }
    RETURN_IF_ERROR(place_token(vocab, id.get_int64(), {text.data(), text.size()}, spec));
  }
  return absl::OkStatus();
}

absl::Status read_merges(const JsonField& model, TokenizerSpec& spec) {
  ASSIGN_OR_RETURN(const auto merges, model.required("merges"));
  ASSIGN_OR_RETURN(const auto* items, merges.array());
  if (items->size() > kArrayElementsMax) return merges.wrong("has too many elements");
  spec.merges.reserve(items->size());
  for (std::size_t i = 0; i < items->size(); ++i) {
    const auto& item = (*items)[i];
    if (const auto* text = item.if_string()) {
      const auto space = text->find(' ');
      if (space == std::string_view::npos) {
        return merges.wrong(fmt::format("element {} has no two parts", i));
      }
      spec.merges.push_back(
          {std::string(text->subview(0, space)), std::string(text->subview(space + 1))});
      continue;
    }
    const auto* pair = item.if_array();
    if (pair == nullptr || pair->size() != 2 || !(*pair)[0].is_string() || !(*pair)[1].is_string())
      return merges.wrong(fmt::format("element {} is no pair of strings", i));
    spec.merges.push_back(
        {std::string((*pair)[0].get_string()), std::string((*pair)[1].get_string())});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<TokenId>> find_token(const TokenizerSpec& spec,
                                                  std::string_view text) {
  for (const auto& added : spec.added) {
    if (added.text == text) return added.id;
  }
  const auto found = std::find(spec.tokens.begin(), spec.tokens.end(), text);
  if (found == spec.tokens.end()) return std::nullopt;
  return static_cast<TokenId>(found - spec.tokens.begin());
}

absl::Status read_bpe(const JsonField& model, TokenizerSpec& spec) {
  spec.kind = TokenizerKind::sentencepiece_bpe;  // a ByteLevel pre-tokenizer says otherwise
  RETURN_IF_ERROR(read_merges(model, spec));
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    ASSIGN_OR_RETURN(const std::string affix, model.text(name, ""));
    if (!affix.empty()) return not_supported(model, fmt::format("{} \"{}\"", name, affix));
  }
  ASSIGN_OR_RETURN(spec.byte_fallback, model.flag("byte_fallback", false));
  ASSIGN_OR_RETURN(spec.fuse_unk, model.flag("fuse_unk", false));
  ASSIGN_OR_RETURN(spec.ignore_merges, model.flag("ignore_merges", false));
  return absl::OkStatus();
}

absl::Status read_wordpiece(const JsonField& model, TokenizerSpec& spec) {
  spec.kind = TokenizerKind::wordpiece;
  ASSIGN_OR_RETURN(spec.continuing_prefix, model.text("continuing_subword_prefix", "##"));
  ASSIGN_OR_RETURN(const auto chars, model.integer("max_input_chars_per_word", 100));
  if (chars < 1 || chars > static_cast<std::int64_t>(kWordCharsMax)) {
    return model.wrong(fmt::format("max_input_chars_per_word is {}", chars));
  }
  spec.word_chars_max = static_cast<std::size_t>(chars);
  return absl::OkStatus();
}

absl::Status read_model(const JsonField& root, TokenizerSpec& spec) {
  ASSIGN_OR_RETURN(const auto model, root.required("model"));
  RETURN_IF_ERROR(model.expect_object());
  ASSIGN_OR_RETURN(const std::string type,
                   model.text("type", model.member("merges") ? "BPE" : "WordPiece"));
  if (type != "BPE" && type != "WordPiece") return not_supported(model, type);
  RETURN_IF_ERROR(read_vocab(model, spec));
  RETURN_IF_ERROR(type == "BPE" ? read_bpe(model, spec) : read_wordpiece(model, spec));
  ASSIGN_OR_RETURN(const std::string unknown,
                   model.text("unk_token", type == "WordPiece" ? "[UNK]" : ""));
  if (!unknown.empty()) {
    ASSIGN_OR_RETURN(spec.unk, find_token(spec, unknown));
  }
  return absl::OkStatus();
}

absl::Status read_added(const JsonField& root, TokenizerSpec& spec) {
  const auto list = root.member("added_tokens");
  if (!list) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto* items, list->array());
  const auto id_max =
      static_cast<std::int64_t>(spec.tokens.size() + items->size()) + kVocabHolesMax;
  for (std::size_t i = 0; i < items->size(); ++i) {
    ASSIGN_OR_RETURN(const auto item, list->element(i));
    AddedToken added;
    ASSIGN_OR_RETURN(const auto id_field, item.required("id"));
    ASSIGN_OR_RETURN(const auto id, id_field.integer());
    if (id >= id_max) return id_field.wrong(fmt::format("{} is out of range", id));
    ASSIGN_OR_RETURN(const auto content, item.required("content"));
    ASSIGN_OR_RETURN(added.text, content.text());
    ASSIGN_OR_RETURN(added.special, item.flag("special", false));
    ASSIGN_OR_RETURN(added.lstrip, item.flag("lstrip", false));
    ASSIGN_OR_RETURN(added.rstrip, item.flag("rstrip", false));
    ASSIGN_OR_RETURN(added.single_word, item.flag("single_word", false));
    ASSIGN_OR_RETURN(added.normalized, item.flag("normalized", !added.special));
    RETURN_IF_ERROR(place_token(id_field, id, added.text, spec));
    added.id = static_cast<TokenId>(id);
    spec.added.push_back(std::move(added));
  }
  return absl::OkStatus();
}

// "eos_token": "</s>" or {"content": "</s>", ...}.
absl::Status read_named_token(const JsonField& config, const char* name, const TokenizerSpec& spec,
                              std::optional<TokenId>& out) {
  const auto field = config.member(name);
  if (!field) return absl::OkStatus();
  std::string text;
  if (field->value().is_object()) {
    ASSIGN_OR_RETURN(text, field->text("content", ""));
  } else {
    ASSIGN_OR_RETURN(text, field->text());
  }
  ASSIGN_OR_RETURN(const auto id, find_token(spec, text));
  if (id) out = id;
  return absl::OkStatus();
}

void add_end(TokenizerSpec& spec, TokenId id) {
  auto& ends = spec.end_of_generation;
  if (std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
}

}  // namespace

absl::StatusOr<TokenizerSpec> parse_tokenizer_json(std::string_view text) {
  base::JsonLimits limits;
  limits.bytes_max = kTokenizerFileBytesMax;
  ASSIGN_OR_RETURN(const auto document, base::parse_json(text, limits));
  const JsonField root(document, "");
  RETURN_IF_ERROR(root.expect_object());
  TokenizerSpec spec;
  spec.pre = "";
  spec.stages_given = true;
  RETURN_IF_ERROR(read_model(root, spec));
  RETURN_IF_ERROR(read_added(root, spec));
  const auto stage = [&](const char* name, auto read) -> absl::Status {
    const auto field = root.member(name);
    return field ? read(*field, spec) : absl::OkStatus();
  };
  RETURN_IF_ERROR(stage("normalizer", read_normalizer));
  RETURN_IF_ERROR(stage("pre_tokenizer", read_pre_tokenizer));
  RETURN_IF_ERROR(stage("post_processor", read_post_processor));
  spec.detokenizer.kind = Detokenizer::Kind::spaced;
  RETURN_IF_ERROR(stage("decoder", read_decoder));
  return spec;
}

absl::Status apply_tokenizer_config(const base::json::value& config, TokenizerSpec& spec) {
  const JsonField root(config, "");
  RETURN_IF_ERROR(root.expect_object());
  const std::pair<const char*, std::optional<TokenId>*> names[] = {
      {"bos_token", &spec.bos},   {"eos_token", &spec.eos}, {"unk_token", &spec.unk},
      {"pad_token", &spec.pad},   {"cls_token", &spec.cls}, {"sep_token", &spec.sep},
      {"mask_token", &spec.mask},
  };
  for (const auto& [name, out] : names) {
    RETURN_IF_ERROR(read_named_token(root, name, spec, *out));
  }
  if (spec.eos) add_end(spec, *spec.eos);
  ASSIGN_OR_RETURN(const std::string type, root.text("tokenizer_class", ""));
  // These classes put bos and eos around a text by their own flags, not by the post-processor.
  for (const char* family : {"Llama", "CodeLlama", "Gemma", "Cohere"}) {
    if (!type.starts_with(std::string(family) + "Tokenizer")) continue;
    if (root.member("add_bos_token")) {
      ASSIGN_OR_RETURN(spec.add_bos, root.flag("add_bos_token", false));
      spec.before.clear();
    }
    if (root.member("add_eos_token")) {
      ASSIGN_OR_RETURN(spec.add_eos, root.flag("add_eos_token", false));
      spec.after.clear();
    }
  }
  return absl::OkStatus();
}

absl::Status apply_generation_config(const base::json::value& config, TokenizerSpec& spec) {
  const auto field = JsonField(config, "").member("eos_token_id");
  if (!field) return absl::OkStatus();
  const auto add = [&](const JsonField& number) -> absl::Status {
    ASSIGN_OR_RETURN(const auto id, number.integer());
    if (id < 0 || id >= static_cast<std::int64_t>(spec.tokens.size()))
      return number.wrong("is outside the vocabulary");
    add_end(spec, static_cast<TokenId>(id));
    return absl::OkStatus();
  };
  if (!field->value().is_array()) return add(*field);
  ASSIGN_OR_RETURN(const auto* items, field->array());
  for (std::size_t i = 0; i < items->size(); ++i) {
    ASSIGN_OR_RETURN(const auto element, field->element(i));
    RETURN_IF_ERROR(add(element));
  }
  return absl::OkStatus();
}

}  // namespace plinth::model
