// SentencePiece merges by a score of the merged token, as GGUF files have it; Hugging Face's
// tokenizers by a list of merges: its converter writes one for each way to spell a token of two
// others, best score first. Both ways, where a text is merged to the same tokens by either.
#pragma once

#include <vector>

#include "base/status.h"
#include "model/tokenizer_spec.h"

namespace plinth::model {

// A score for each token. Unimplemented where there is none: the list leaves out a way to spell a
// token, or goes back to one, or a token has a character that is no token.
absl::StatusOr<std::vector<float>> merge_scores(const TokenizerSpec& spec);

// The list of merges. Unimplemented where there is none: two tokens have the same score, or one has
// a character that is no token.
absl::StatusOr<std::vector<MergeRule>> merge_rules(const TokenizerSpec& spec);

}  // namespace plinth::model
