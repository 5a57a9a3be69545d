// A request's prompt as tokens: the chat template and the tokenizer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "model/chat_template.h"
#include "model/tokenizer.h"
#include "protocol/generate.h"

namespace plinth::engine {

// Thread-safe: a long prompt is rendered on its caller's thread, while the engine steps.
class PromptRenderer {
 public:
  // The references outlive it; chat_template may be null.
  PromptRenderer(const model::Tokenizer& tokenizer, const model::ChatTemplate* chat_template,
                 const base::Clock& clock)
      : tokenizer_(tokenizer), template_(chat_template), clock_(clock) {}

  // InvalidArgument: a chat for a model without a template, JSON that is none, or what the template
  // itself refuses; ResourceExhausted: a template that passes its bounds.
  absl::StatusOr<std::vector<std::int32_t>> tokens(const protocol::Prompt& prompt) const;

 private:
  absl::StatusOr<model::RenderedPrompt> render(const protocol::ChatPrompt& chat) const;

  const model::Tokenizer& tokenizer_;
  const model::ChatTemplate* const template_;
  const base::Clock& clock_;
};

}  // namespace plinth::engine
