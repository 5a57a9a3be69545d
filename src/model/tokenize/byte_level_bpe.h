// Byte-level BPE: GPT-2's tokenizer and its descendants.
// Radford et al., "Language models are unsupervised multitask learners", 2019; byte alphabet as in
// the released encoder.
#pragma once

#include <memory>

#include "base/status.h"
#include "model/tokenizer.h"

namespace plinth::model {

absl::StatusOr<std::unique_ptr<Tokenizer>> make_byte_level_bpe(TokenizerSpec spec);

}  // namespace plinth::model
