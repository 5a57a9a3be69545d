#include "model/tokenize/tokenizer_json_writer.h"

#include <algorithm>
#include <vector>

#include "model/tokenize/families.h"
#include "model/tokenize/merge_scores.h"
#include "model/tokenize/metaspace.h"

namespace plinth::model {

namespace {

namespace json = base::json;

const std::string& text_of(const TokenizerSpec& spec, TokenId id) {
  return spec.tokens[static_cast<std::size_t>(id)];
}

bool is_sentencepiece(const TokenizerSpec& spec) {
  return spec.kind == TokenizerKind::sentencepiece_bpe;
}

json::object replace(std::string_view pattern, std::string_view content) {
  return {{"type", "Replace"}, {"pattern", {{"String", pattern}}}, {"content", content}};
}

json::value normalizer(const TokenizerSpec& spec) {
  if (spec.normalizer.empty()) return nullptr;
  if (!is_sentencepiece(spec)) return json::object{{"type", "NFC"}};
  json::array parts;
  if (*sentencepiece_space_prefix(spec))
    parts.push_back({{"type", "Prepend"}, {"prepend", kMetaspace}});
  parts.push_back(replace(" ", kMetaspace));
  return json::object{{"type", "Sequence"}, {"normalizers", parts}};
}

json::object decoder(const TokenizerSpec& spec) {
  if (!is_sentencepiece(spec)) {
    return {{"type", "ByteLevel"},
            {"add_prefix_space", true},
            {"trim_offsets", true},
            {"use_regex", true}};
  }
  json::array parts{replace(kMetaspace, " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
  if (*sentencepiece_space_prefix(spec))
    parts.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"type", "Sequence"}, {"decoders", parts}};
}

// Splits one after the other; the bytes of what is left are spelt last.
json::value pre_tokenizer(const TokenizerSpec& spec) {
  if (is_sentencepiece(spec)) return nullptr;
  json::array parts;
  for (const auto& step : spec.pre_tokenizer) {
    parts.push_back({{"type", "Split"},
                     {"pattern", {{step.regex ? "Regex" : "String", step.pattern}}},
                     {"behavior", "Isolated"},
                     {"invert", false}});
  }
  parts.push_back({{"type", "ByteLevel"},
                   {"add_prefix_space", false},
                   {"trim_offsets", true},
                   {"use_regex", false}});
  return json::object{{"type", "Sequence"}, {"pretokenizers", parts}};
}

json::value post_processor(const TokenizerSpec& spec) {
  auto before = spec.before, after = spec.after;
  if (before.empty() && after.empty()) {
    if (spec.add_bos && spec.bos) before.push_back(*spec.bos);
    if (spec.add_eos && spec.eos) after.push_back(*spec.eos);
  }
  if (before.empty() && after.empty()) return nullptr;
  json::object tokens;
  const auto piece = [&](TokenId id) {
    const auto& text = text_of(spec, id);
    tokens[text] =
        json::object{{"id", text}, {"ids", json::array{id}}, {"tokens", json::array{text}}};
    return json::object{{"SpecialToken", {{"id", text}, {"type_id", 0}}}};
  };
  const auto sequence = [&](const char* name) {
    return json::object{{"Sequence", {{"id", name}, {"type_id", 0}}}};
  };
  json::array single, pair;
  for (const auto id : before) single.push_back(piece(id));
  single.push_back(sequence("A"));
  for (const auto id : after) single.push_back(piece(id));
  pair = single;
  pair.push_back(sequence("B"));
  return json::object{{"type", "TemplateProcessing"},
                      {"single", single},
                      {"pair", pair},
                      {"special_tokens", tokens}};
}

json::object added_token(const AddedToken& added) {
  return {{"id", added.id},          {"content", added.text},  {"single_word", added.single_word},
          {"lstrip", added.lstrip},  {"rstrip", added.rstrip}, {"normalized", added.normalized},
          {"special", added.special}};
}

json::array added_tokens(const TokenizerSpec& spec) {
  json::array all;
  for (const auto& added : spec.added) all.push_back(added_token(added));
  const auto is_unk = [&](const AddedToken& added) { return added.id == spec.unk; };
  // GGUF has it as a type of its own, and among no added ones.
  if (is_sentencepiece(spec) && spec.unk &&
      std::none_of(spec.added.begin(), spec.added.end(), is_unk)) {
    AddedToken unk;
    unk.id = *spec.unk;
    unk.text = text_of(spec, unk.id);
    unk.special = true;
    all.push_back(added_token(unk));
  }
  return all;
}

json::object bpe(const TokenizerSpec& spec, const std::vector<MergeRule>& rules) {
  json::object vocab;
  vocab.reserve(spec.tokens.size());
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) vocab[spec.tokens[id]] = id;
  json::array merges;
  merges.reserve(rules.size());
  for (const auto& merge : rules) merges.push_back(json::array{merge.left, merge.right});
  json::value unknown;
  if (is_sentencepiece(spec) && spec.unk) unknown = text_of(spec, *spec.unk);
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", unknown},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", spec.fuse_unk || is_sentencepiece(spec)},
          {"byte_fallback", is_sentencepiece(spec)},
          {"ignore_merges", spec.ignore_merges},
          {"vocab", vocab},
          {"merges", merges}};
}

absl::Status check(const TokenizerSpec& spec) {
  if (sentencepiece_space_prefix(spec)) return absl::OkStatus();
  if (spec.kind != TokenizerKind::byte_level_bpe)
    return base::unimplemented(
        "[export] a tokenizer other than byte-level BPE, or SentencePiece's as Llama 2 has it, is "
        "not "
        "written");
  for (const auto& step : spec.pre_tokenizer) {
    if (step.kind != PreTokenizerStep::Kind::split || step.invert ||
        step.behavior != PreTokenizerStep::Behavior::isolated)
      return base::unimplemented("[export] a step of the tokenizer is not written");
  }
  if (spec.normalizer.size() > 1 ||
      (spec.normalizer.size() == 1 && spec.normalizer[0].kind != NormalizerStep::Kind::nfc))
    return base::unimplemented("[export] a normalizer other than NFC is not written");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<json::object> tokenizer_json(TokenizerSpec spec) {
  RETURN_IF_ERROR(fill_stages(spec));
  RETURN_IF_ERROR(check(spec));
  const auto rules = merge_rules(spec);
  RETURN_IF_ERROR(base::annotate(rules.status(), "[export]"));
  return json::object{{"version", "1.0"},
                      {"truncation", nullptr},
                      {"padding", nullptr},
                      {"added_tokens", added_tokens(spec)},
                      {"normalizer", normalizer(spec)},
                      {"pre_tokenizer", pre_tokenizer(spec)},
                      {"post_processor", post_processor(spec)},
                      {"decoder", decoder(spec)},
                      {"model", bpe(spec, *rules)}};
}

json::object tokenizer_config_json(const TokenizerSpec& spec) {
  json::object config{{"tokenizer_class", "PreTrainedTokenizerFast"},
                      {"clean_up_tokenization_spaces", false}};
  const std::pair<const char*, std::optional<TokenId>> names[] = {{"bos_token", spec.bos},
                                                                  {"eos_token", spec.eos},
                                                                  {"unk_token", spec.unk},
                                                                  {"pad_token", spec.pad}};
  for (const auto& [name, id] : names) {
    if (id) config[name] = text_of(spec, *id);
  }
  return config;
}

}  // namespace plinth::model
