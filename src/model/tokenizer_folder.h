// The tokenizer and the chat template of a Hugging Face model folder.
#pragma once

#include <string>

#include "base/status.h"
#include "model/tokenizer_spec.h"

namespace plinth::model {

// Reads tokenizer.json, which must be there, and what tokenizer_config.json,
// special_tokens_map.json and generation_config.json add to it. Errors name the file and the field;
// a component of tokenizer.json that is not known is Unimplemented and named.
absl::StatusOr<TokenizerSpec> read_tokenizer_folder(const std::string& folder);

// chat_template.jinja, or the template of tokenizer_config.json (the one called "default" of
// several); "" where the folder has none.
absl::StatusOr<std::string> read_chat_template(const std::string& folder);

}  // namespace plinth::model
