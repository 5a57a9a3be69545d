// A tokenizer as GGUF metadata (tokenizer.ggml.*).
#pragma once

#include <string>

#include "base/status.h"
#include "model/gguf_writer.h"
#include "model/tokenizer_spec.h"

namespace plinth::model {

// Unimplemented for a tokenizer of no family that GGUF has a name for, one of SentencePiece's whose
// merges no scores put in order, or that puts other tokens than bos and eos around a text.
absl::Status check_gguf_tokenizer(const TokenizerSpec& spec);

// Of one that passes, filled up to the `vocab` rows that the model's embedding has. chat_template
// "": the model has none.
void add_gguf_tokenizer(const TokenizerSpec& spec, std::int64_t vocab,
                        const std::string& chat_template, GgufWriter& writer);

}  // namespace plinth::model
