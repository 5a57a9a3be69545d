#include "apps/training_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "model/bpe_trainer.h"
#include "model/model_file.h"
#include "train/limits.h"
#include "train/token_file.h"

namespace plinth {

namespace {

constexpr std::size_t kByteVocab = 258;  // and two tokens that control

bool has_tokens(const std::string& path) { return path.ends_with(".bin"); }

absl::StatusOr<model::TokenizerSpec> tokenizer_of(const TextSource& source,
                                                  const std::string& text) {
  if (!source.tokenizer.empty()) {
    ASSIGN_OR_RETURN(const auto file, model::open_model(source.tokenizer));
    return file->tokenizer;
  }
  if (has_tokens(source.data)) {
    return base::invalid_argument(fmt::format(
        "{} has tokens: --tokenizer names the model whose tokenizer made them", source.data));
  }
  return model::train_bpe(text, {std::max(source.vocab, kByteVocab)});
}

absl::StatusOr<std::vector<std::int32_t>> tokens_of(const std::string& path,
                                                    const std::string& bytes,
                                                    const model::Tokenizer& tokenizer) {
  if (!has_tokens(path)) return tokenizer.encode(bytes, {});
  auto tokens = train::parse_token_file(bytes, tokenizer.vocab_size());
  return tokens.ok() ? tokens : base::annotate(tokens.status(), path);
}

absl::Status check_length(const std::string& path, std::size_t tokens, std::int64_t context) {
  if (static_cast<std::int64_t>(tokens) > context) return absl::OkStatus();
  return base::invalid_argument(
      fmt::format("{}: {} tokens of it are too few for windows of {}; give it more text or a "
                  "shorter --context",
                  path, tokens, context));
}

}  // namespace

absl::StatusOr<TrainingText> read_training_text(const TextSource& source, std::int64_t context) {
  TrainingText text;
  ASSIGN_OR_RETURN(const auto bytes, base::read_file(source.data, train::kDataBytesMax));
  ASSIGN_OR_RETURN(text.tokenizer, tokenizer_of(source, bytes));
  ASSIGN_OR_RETURN(const auto tokenizer, model::make_tokenizer(text.tokenizer));
  ASSIGN_OR_RETURN(text.train, tokens_of(source.data, bytes, *tokenizer));
  if (source.valid.empty()) {
    const auto part = static_cast<double>(text.train.size()) * source.valid_part;
    const auto begin = text.train.end() - static_cast<std::ptrdiff_t>(part);
    text.valid.assign(begin, text.train.end());
    text.train.erase(begin, text.train.end());
  } else {
    ASSIGN_OR_RETURN(const auto other, base::read_file(source.valid, train::kDataBytesMax));
    ASSIGN_OR_RETURN(text.valid, tokens_of(source.valid, other, *tokenizer));
  }
  RETURN_IF_ERROR(check_length(source.data, text.train.size(), context));
  RETURN_IF_ERROR(
      check_length(source.valid.empty() ? source.data : source.valid, text.valid.size(), context));
  std::size_t valid_bytes = 0;
  for (const auto token : text.valid) valid_bytes += tokenizer->token_bytes(token, true).size();
  text.valid_bytes_per_token =
      static_cast<double>(valid_bytes) / static_cast<double>(text.valid.size());
  return text;
}

}  // namespace plinth
