// A content policy over one answer: prompts are checked before anything is made of them, and what
// choices say passes through a stream that never lets a blocked span out.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/answer.h"
#include "base/status.h"
#include "governance/content_stream.h"
#include "protocol/generate.h"

namespace plinth::api {

// Used by one thread at a time.
class ContentGate {
 public:
  // `calls` of `n` choices each.
  ContentGate(std::shared_ptr<const governance::ContentFilter> filter, std::size_t calls,
              std::int32_t n);

  // Checks the prompts, and puts the policy's redactions into them. False where one is blocked.
  // InvalidArgument for what the policy cannot be held to: prompts of token ids, which are no text
  // here, and log-probabilities of answers that are redacted.
  absl::StatusOr<bool> check_prompts(std::vector<protocol::GenerateRequest>& requests);
  // One for each prompt.
  const std::vector<governance::ContentVerdict>& prompts() const { return prompts_; }
  // Of the first blocked prompt.
  const governance::ContentVerdict& blocked_prompt() const;

  // What `answer` may be told of the event, which it is, with what was found.
  void pass(std::size_t call, protocol::GenerateEvent event, Answer& answer, std::string& out);
  // Whether every choice is over, one of them blocked: nothing more can come of the calls.
  bool over() const { return any_blocked_ && open_ == 0; }

 private:
  struct Choice {
    explicit Choice(std::shared_ptr<const governance::ContentFilter> filter)
        : stream(std::move(filter)) {}
    governance::ContentStream stream;
    // Log-probabilities whose text is not out yet, with where it ends.
    std::deque<std::pair<std::size_t, protocol::PositionLogprobs>> waiting;
    std::size_t bytes = 0;  // of all tokens so far
    std::size_t characters = 0;
    std::string told;  // the verdict as `answer` has it
    bool over = false;
  };
  Choice& choice_at(std::size_t call, std::int32_t index);
  void pass_delta(std::size_t call, protocol::Delta delta, Answer& answer, std::string& out);
  void end(std::size_t call, Choice& choice, protocol::ChoiceEnd end, Answer& answer,
           std::string& out);
  void tell(std::size_t call, std::int32_t index, Choice& choice, Answer& answer);
  std::vector<protocol::PositionLogprobs> take_logprobs(Choice& choice, std::size_t until);

  std::shared_ptr<const governance::ContentFilter> filter_;
  const std::int32_t n_;
  std::vector<governance::ContentVerdict> prompts_;
  std::deque<Choice> choices_;  // whose entries do not move
  std::size_t open_;
  bool any_blocked_ = false;
};

}  // namespace plinth::api
