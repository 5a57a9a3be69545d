// The stages of tokenizer families by their GGUF names, for files that carry only the name.
#pragma once

#include "base/status.h"
#include "model/tokenizer_spec.h"

namespace plinth::model {

// Fills normalizer, pre_tokenizer, detokenizer and their switches from kind and pre, unless
// stages_given is set. Unimplemented names a family that is not known.
absl::Status fill_stages(TokenizerSpec& spec);

}  // namespace plinth::model
