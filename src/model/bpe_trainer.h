// A byte-level vocabulary learnt from text: pairs that are next to each other most often become
// tokens, one after the other.
// Sennrich et al., "Neural machine translation of rare words with subword units", 2016.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"
#include "model/tokenizer_spec.h"

namespace plinth::model {

struct BpeTrainingOptions {
  std::size_t vocab = 4096;   // with the 256 bytes and two control tokens
  std::string pre = "gpt-2";  // the family whose pieces no token crosses
};

// The same tokens in the same order as Hugging Face's BpeTrainer over all bytes, then
// <|begin_of_text|> and <|end_of_text|>. Fewer than `vocab` where the text has not as many pairs.
// InvalidArgument for a vocabulary that is too small or too large; Unimplemented for a family that
// is not known.
absl::StatusOr<TokenizerSpec> train_bpe(std::string_view text, const BpeTrainingOptions& options);

}  // namespace plinth::model
