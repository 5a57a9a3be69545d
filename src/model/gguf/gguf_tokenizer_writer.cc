#include "model/gguf/gguf_tokenizer_writer.h"

#include <fmt/format.h>

#include <iterator>
#include <optional>
#include <vector>

#include "model/tokenize/byte_alphabet.h"
#include "model/tokenize/families.h"
#include "model/tokenize/merge_scores.h"

namespace plinth::model {

namespace {

// GGUF's numbers for the types of tokens.
std::int32_t type_number(TokenType type) { return static_cast<std::int32_t>(type) + 1; }

std::vector<std::int32_t> type_numbers(const TokenizerSpec& spec) {
  std::vector<std::int32_t> numbers(spec.tokens.size(), type_number(TokenType::normal));
  for (std::size_t i = 0; i < spec.types.size(); ++i) numbers[i] = type_number(spec.types[i]);
  for (const auto& added : spec.added) {
    numbers[static_cast<std::size_t>(added.id)] =
        type_number(added.special ? TokenType::control : TokenType::user_defined);
  }
  if (spec.kind != TokenizerKind::sentencepiece_bpe) return numbers;
  for (std::size_t i = 0; i < spec.tokens.size(); ++i) {
    if (byte_token_value(spec.tokens[i])) numbers[i] = type_number(TokenType::byte);
  }
  if (spec.unk) numbers[static_cast<std::size_t>(*spec.unk)] = type_number(TokenType::unknown);
  return numbers;
}

std::vector<std::string> merges_of(const TokenizerSpec& spec) {
  std::vector<std::string> merges;
  for (const auto& merge : spec.merges) merges.push_back(merge.left + " " + merge.right);
  return merges;
}

void add_ids(const TokenizerSpec& spec, GgufWriter& writer) {
  const auto add = [&](const char* key, const std::optional<TokenId>& id) {
    if (id) writer.set(key, static_cast<std::uint32_t>(*id));
  };
  add("tokenizer.ggml.bos_token_id", spec.bos);
  add("tokenizer.ggml.eos_token_id", spec.eos);
  add("tokenizer.ggml.unknown_token_id", spec.unk);
  add("tokenizer.ggml.padding_token_id", spec.pad);
  // Another end than eos, where there is one.
  for (const auto id : spec.end_of_generation) {
    if (spec.eos == id) continue;
    return add("tokenizer.ggml.eot_token_id", id);
  }
}

}  // namespace

absl::Status check_gguf_tokenizer(const TokenizerSpec& spec) {
  if (sentencepiece_space_prefix(spec)) {
    RETURN_IF_ERROR(merge_scores(spec).status());
  } else if (family_of(spec).empty()) {
    return base::unimplemented("a tokenizer of no family that GGUF has a name for");
  }
  const auto fits = [](const std::vector<TokenId>& put, const std::optional<TokenId>& id) {
    return put.empty() || (id && put == std::vector{*id});
  };
  if (fits(spec.before, spec.bos) && fits(spec.after, spec.eos)) return absl::OkStatus();
  return base::unimplemented("a tokenizer that puts other tokens than bos and eos around a text");
}

void add_gguf_tokenizer(const TokenizerSpec& spec, std::int64_t vocab,
                        const std::string& chat_template, GgufWriter& writer) {
  auto tokens = spec.tokens;
  auto types = type_numbers(spec);
  while (std::ssize(tokens) < vocab) {
    tokens.push_back(fmt::format("[PAD{}]", tokens.size()));
    types.push_back(type_number(TokenType::unused));
  }
  writer.set("tokenizer.ggml.tokens", tokens);
  writer.set("tokenizer.ggml.token_type", types);
  if (const auto space_prefix = sentencepiece_space_prefix(spec)) {
    auto scores = *merge_scores(spec);
    scores.resize(tokens.size(), 0);
    writer.set("tokenizer.ggml.model", "llama");
    writer.set("tokenizer.ggml.pre", "default");
    writer.set("tokenizer.ggml.scores", scores);
    writer.set("tokenizer.ggml.add_space_prefix", *space_prefix);
  } else {
    writer.set("tokenizer.ggml.model", "gpt2");
    writer.set("tokenizer.ggml.pre", family_of(spec));
    writer.set("tokenizer.ggml.merges", merges_of(spec));
  }
  add_ids(spec, writer);
  writer.set("tokenizer.ggml.add_bos_token", spec.add_bos || !spec.before.empty());
  writer.set("tokenizer.ggml.add_eos_token", spec.add_eos || !spec.after.empty());
  if (!chat_template.empty()) writer.set("tokenizer.chat_template", chat_template);
}

}  // namespace plinth::model
