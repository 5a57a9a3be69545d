// Records to examples, by the model's own chat template and tokenizer: what is learnt are the
// tokens that the model would have to say where it is served.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/chat_template.h"
#include "model/tokenizer.h"
#include "train/example.h"
#include "train/record.h"

namespace plinth::train {

// Thread-safe.
class ExampleEncoder {
 public:
  // The references outlive it; chat_template may be null. unix_now: for templates that write the
  // day.
  ExampleEncoder(const model::Tokenizer& tokenizer, const model::ChatTemplate* chat_template,
                 std::int64_t unix_now);

  // Of a chat, every answer of the assistant whose weight is not 0, to the token that ends it.
  // InvalidArgument: a chat for a model without a template, or what the template refuses, or a
  // preference, which is two examples.
  absl::StatusOr<Example> encode(const Record& record) const;
  // Of the preferred answer, and of the other.
  absl::StatusOr<std::pair<Example, Example>> encode_pair(const PreferenceRecord& record) const;

 private:
  // A part of a conversation as the template writes it.
  struct Piece {
    model::RenderedPrompt rendered;
    bool learnt = false;
  };
  absl::StatusOr<model::RenderedPrompt> render(const ChatRecord& chat, std::size_t messages,
                                               bool for_answer) const;
  absl::StatusOr<std::vector<Piece>> pieces(const ChatRecord& chat, bool every_answer) const;
  absl::StatusOr<Example> encode_chat(const ChatRecord& chat) const;
  absl::Status append(const Piece& piece, Example& example) const;
  std::string text_of(const std::optional<model::TokenId>& id) const;

  const model::Tokenizer& tokenizer_;
  const model::ChatTemplate* const template_;
  const std::int64_t unix_now_;
  const std::vector<model::TokenId> reserved_;
};

}  // namespace plinth::train
