// Log-probabilities as OpenAI reports them.
#pragma once

#include <cstdint>
#include <span>

#include "protocol/generate.h"

namespace plinth::engine {

// Natural-log probabilities of the unmodified distribution, before temperature, penalties and
// filters: the chosen token's and the `top` best, descending, ties by token. None is below -9999,
// which OpenAI's API gives for "never". `bytes` of the tokens are left empty. logits: [vocab],
// finite.
protocol::PositionLogprobs position_logprobs(std::span<const float> logits, std::int32_t chosen,
                                             std::int32_t top);

}  // namespace plinth::engine
