// The stages of tokenizer families by their GGUF names, for files that carry only the name.
#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "model/tokenizer_spec.h"

namespace plinth::model {

// Fills normalizer, pre_tokenizer, detokenizer and their switches from kind and pre, unless
// stages_given is set. Unimplemented names a family that is not known.
absl::Status fill_stages(TokenizerSpec& spec);

// The name of a byte-level BPE's family: the one that it has, or one whose stages are its own. ""
// where there is none.
std::string family_of(const TokenizerSpec& spec);

// Whether its stages are those that SentencePiece's models have, as fill_stages() makes them, with
// a space before the text or without one; nothing where they are others.
std::optional<bool> sentencepiece_space_prefix(const TokenizerSpec& spec);

}  // namespace plinth::model
