// A tokenizer of byte pairs as the files that Hugging Face's `tokenizers` and transformers read.
#pragma once

#include <string>

#include "base/json.h"
#include "base/status.h"
#include "model/tokenizer_spec.h"

namespace plinth::model {

// tokenizer.json, which parse_tokenizer_json() reads as the same stages. Unimplemented: another
// kind than byte-level BPE or SentencePiece's, or stages beside the usual ones.
absl::StatusOr<base::json::object> tokenizer_json(TokenizerSpec spec);

// tokenizer_config.json: which tokens begin and end a text.
base::json::object tokenizer_config_json(const TokenizerSpec& spec);

}  // namespace plinth::model
