// The tokenizer that GGUF metadata describes (tokenizer.ggml.*).
#pragma once

#include "base/status.h"
#include "model/gguf/gguf_reader.h"
#include "model/tokenizer_spec.h"

namespace plinth::model {

// InvalidArgument names the key; Unimplemented names a tokenizer.ggml.model that is not known.
absl::StatusOr<TokenizerSpec> tokenizer_spec_of(const Gguf& gguf);

}  // namespace plinth::model
