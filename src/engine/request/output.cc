#include "engine/request/output.h"

#include <utility>

#include "base/check.h"

namespace plinth::engine {

void name_tokens(const model::Tokenizer& tokenizer, protocol::PositionLogprobs& logprobs) {
  logprobs.chosen.bytes = tokenizer.token_bytes(logprobs.chosen.token, true);
  for (auto& entry : logprobs.top) entry.bytes = tokenizer.token_bytes(entry.token, true);
}

void Output::echo(std::span<const std::int32_t> prompt, Events& events) const {
  protocol::Delta delta;
  delta.index = index_;
  delta.text = tokenizer_.decode(prompt, false);
  events.push_back(std::move(delta));
}

void Output::prompt_logprobs(std::vector<protocol::PositionLogprobs> positions,
                             Events& events) const {
  if (positions.empty()) return;
  protocol::Delta delta;
  delta.index = index_;
  delta.logprobs = std::move(positions);
  events.push_back(std::move(delta));
}

bool Output::push(std::int32_t token, std::optional<protocol::PositionLogprobs> logprobs,
                  Events& events) {
  CHECK(matched_.empty());
  ++tokens_;
  if (logprobs) held_.push_back({decoded_, *std::move(logprobs)});
  const std::string piece = text_.push(token);
  decoded_ += piece.size();
  auto step = stops_.push(piece);
  matched_ = std::move(step.matched);
  emit(std::move(step.text), events);
  return !matched_.empty();
}

void Output::emit(std::string text, Events& events) {
  released_ += text.size();
  protocol::Delta delta;
  while (!held_.empty() && held_.front().begin < released_) {
    delta.logprobs.push_back(std::move(held_.front().logprobs));
    held_.pop_front();
  }
  if (text.empty() && delta.logprobs.empty()) return;
  delta.index = index_;
  delta.text = std::move(text);
  delta.tokens = std::exchange(tokens_, 0);
  events.push_back(std::move(delta));
}

void Output::finish(protocol::FinishReason reason, Events& events) {
  if (matched_.empty()) {
    // Bytes that never became a character.
    const std::string rest = text_.finish();
    decoded_ += rest.size();
    auto step = stops_.push(rest);
    matched_ = std::move(step.matched);
    if (matched_.empty()) step.text += stops_.finish();
    emit(std::move(step.text), events);
  }
  protocol::Delta last;
  last.index = index_;
  last.tokens = std::exchange(tokens_, 0);
  if (matched_.empty()) {
    // Tokens without text at the end.
    for (auto& held : held_) last.logprobs.push_back(std::move(held.logprobs));
  }
  held_.clear();
  if (last.tokens > 0 || !last.logprobs.empty()) events.push_back(std::move(last));
  if (!matched_.empty()) reason = protocol::FinishReason::stop;
  events.push_back(protocol::ChoiceEnd{index_, reason, matched_});
}

}  // namespace plinth::engine
