// What a request may ask of this model. Whatever passes runs to its end.
#pragma once

#include <cstdint>
#include <span>

#include "base/status.h"
#include "protocol/generate.h"

namespace plinth::engine {

struct ModelBounds {
  std::int32_t context_tokens = 0;  // no more than the KV pages hold
  std::int32_t vocab_size = 0;
};

// The most tokens that each choice may produce: max_tokens, or until the context is full.
// InvalidArgument names the parameter in kParamPayload, and the code where OpenAI's API has one.
absl::StatusOr<std::int32_t> output_tokens_max(const protocol::GenerateRequest& request,
                                               std::span<const std::int32_t> prompt,
                                               const ModelBounds& bounds);

}  // namespace plinth::engine
