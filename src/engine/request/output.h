// One choice's tokens as events: text as soon as it is safe to send, log-probabilities with it.
#pragma once

#include <deque>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "engine/sample/stop_matcher.h"
#include "model/tokenizer.h"
#include "protocol/generate.h"

namespace plinth::engine {

// A token's log-probabilities are sent with the first byte of its text. Tokens whose text is
// dropped, because a stop string begins at or before it, are dropped with it: joined, the reported
// tokens cover exactly the text, and the last may go on into the stop string. Every token counts
// in Delta::tokens, so that the deltas add up to the usage.
class Output {
 public:
  using Events = std::vector<protocol::GenerateEvent>;

  // `spec` and the tokenizer outlive it.
  Output(std::int32_t index, const model::Tokenizer& tokenizer,
         const protocol::GenerateRequest& spec)
      : index_(index),
        tokenizer_(tokenizer),
        text_(tokenizer, !std::holds_alternative<protocol::ChatPrompt>(spec.prompt)),
        stops_(spec.stop) {}

  // The prompt's own text, before any other event.
  void echo(std::span<const std::int32_t> prompt, Events& events) const;
  // Log-probabilities of the prompt, in order; their text came with echo().
  void prompt_logprobs(std::vector<protocol::PositionLogprobs> positions, Events& events) const;
  // A sampled token. True where a stop string is complete: finish() is next.
  bool push(std::int32_t token, std::optional<protocol::PositionLogprobs> logprobs, Events& events);
  // A sampled token that ends the generation: it has no text.
  void count_end_token() { ++tokens_; }
  // Sends what was held back, and the end. A completed stop string is the reason before any other.
  void finish(protocol::FinishReason reason, Events& events);

 private:
  struct Held {
    std::size_t begin;  // of its text in the choice's
    protocol::PositionLogprobs logprobs;
  };
  // `text` goes out; with it the tokens that begin below `released_`.
  void emit(std::string text, Events& events);

  const std::int32_t index_;
  const model::Tokenizer& tokenizer_;
  model::TextDecoder text_;
  StopMatcher stops_;
  std::string matched_;       // the stop string that was completed
  std::deque<Held> held_;     // not sent yet
  std::size_t decoded_ = 0;   // bytes of text that the tokens made
  std::size_t released_ = 0;  // of these, sent
  std::int32_t tokens_ = 0;   // not yet counted in a delta
};

// Fills in the tokens' bytes.
void name_tokens(const model::Tokenizer& tokenizer, protocol::PositionLogprobs& logprobs);

}  // namespace plinth::engine
