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
      : tokenizer_(tokenizer),
        template_(chat_template),
        clock_(clock),
        reserved_(chat_template == nullptr ? std::vector<model::TokenId>()
                                           : chat_template->reserved_tokens(tokenizer.spec())) {}

  // A chat's control tokens are those that its template writes; what its messages spell is text. A
  // text prompt is all its caller's: control tokens match in it, after bos where the model has one.
  // InvalidArgument: a chat for a model without a template, JSON that is none, or what the template
  // itself refuses; ResourceExhausted: a template that passes its bounds.
  absl::StatusOr<std::vector<std::int32_t>> tokens(const protocol::Prompt& prompt) const;

 private:
  absl::StatusOr<model::RenderedPrompt> render(const protocol::ChatPrompt& chat) const;

  const model::Tokenizer& tokenizer_;
  const model::ChatTemplate* const template_;
  const base::Clock& clock_;
  const std::vector<model::TokenId> reserved_;
};

}  // namespace plinth::engine
