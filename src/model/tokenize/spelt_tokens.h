// Which tokens a text can become by what it spells.
#pragma once

#include <string_view>
#include <unordered_map>

#include "model/tokenizer_spec.h"

namespace plinth::model {

// Of byte-pair encoding, by their text, which is that of `spec`: all but control tokens, unknown
// ones and those of single bytes. A control token of one character is ordinary text too (the
// exclamation mark that pads some vocabularies).
std::unordered_map<std::string_view, TokenId> spelt_tokens(const TokenizerSpec& spec);

}  // namespace plinth::model
