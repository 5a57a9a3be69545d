// The stages of a tokenizer.json: normalizer, pre_tokenizer, post_processor and decoder.
#pragma once

#include "base/status.h"
#include "model/tokenize/json_fields.h"
#include "model/tokenizer_spec.h"

namespace plinth::model {

// Each fills its part of `spec`, whose vocabulary and added tokens are read already. Unimplemented
// names the path and the type of a component that is not known.
absl::Status read_normalizer(const JsonField& field, TokenizerSpec& spec);
absl::Status read_pre_tokenizer(const JsonField& field, TokenizerSpec& spec);
absl::Status read_post_processor(const JsonField& field, TokenizerSpec& spec);
absl::Status read_decoder(const JsonField& field, TokenizerSpec& spec);

// Unimplemented: "pre_tokenizer: CharDelimiterSplit is not supported".
absl::Status not_supported(const JsonField& field, std::string_view what);

}  // namespace plinth::model
