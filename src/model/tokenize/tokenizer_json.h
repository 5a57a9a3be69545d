// tokenizer.json of Hugging Face `tokenizers`, and the files beside it, as a TokenizerSpec. The
// text comes with a model and is hostile input.
#pragma once

#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "model/tokenizer_spec.h"

namespace plinth::model {

// InvalidArgument names the field; Unimplemented a component that is not known.
absl::StatusOr<TokenizerSpec> parse_tokenizer_json(std::string_view text);

// What tokenizer_config.json or special_tokens_map.json says of bos, eos and their like.
absl::Status apply_tokenizer_config(const base::json::value& config, TokenizerSpec& spec);
// Further ends of generation (eos_token_id: a number or a list).
absl::Status apply_generation_config(const base::json::value& config, TokenizerSpec& spec);

}  // namespace plinth::model
