// Tokens and their log-probabilities as JSON text, written without building values: a streamed
// answer does this for every token.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/generate.h"

namespace plinth::api {

bool is_utf8(std::string_view bytes);

// A natural logarithm; what is not finite becomes OpenAI's -9999.0.
void append_logprob(std::string& out, float logprob);

// Chat: {"content":[{"token","logprob","bytes","top_logprobs"}],"refusal":null}. A token that is a
// part of a character shows U+FFFD; its bytes are the truth.
void append_chat_logprobs(std::string& out,
                          const std::vector<protocol::PositionLogprobs>& positions);

// Text completions: {"tokens","token_logprobs","top_logprobs","text_offset"}. A token that is a
// part of a character is written as bytes:\xNN. The first token of a prompt has null for both of
// its numbers. `characters` is the length of the text before the first position and is moved past
// the last one.
void append_completion_logprobs(std::string& out,
                                const std::vector<protocol::PositionLogprobs>& positions,
                                std::size_t& characters);

}  // namespace plinth::api
