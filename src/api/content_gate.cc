#include "api/content_gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "api/error_map.h"
#include "base/check.h"
#include "base/json.h"
#include "governance/content_wire.h"

namespace plinth::api {

namespace {

using governance::ContentSource;
using governance::ContentVerdict;

constexpr std::size_t kEverything = std::numeric_limits<std::size_t>::max();

// Checks a text in its place; `own` where the application wrote it.
void check(const governance::ContentFilter& filter, bool own, base::json::string& text,
           ContentVerdict& verdict) {
  auto checked = governance::check_text(filter, ContentSource::prompt, std::string_view(text));
  if (own) governance::forget_jailbreak(checked.verdict);
  if (checked.verdict.pii_redacted) text = checked.redacted;
  governance::merge(checked.verdict, verdict);
}

absl::Status check_messages(const governance::ContentFilter& filter, std::string& messages_json,
                            ContentVerdict& verdict) {
  ASSIGN_OR_RETURN(auto messages, base::parse_json(messages_json));
  for (auto& message : messages.get_array()) {
    auto& object = message.get_object();
    const auto& role = object.at("role").get_string();
    const bool own = role == "system" || role == "assistant";
    for (const char* field : {"content", "reasoning_content", "name"}) {
      auto* text = object.if_contains(field);
      if (text != nullptr && text->is_string()) check(filter, own, text->get_string(), verdict);
    }
  }
  if (verdict.pii_redacted) messages_json = base::to_json(messages);
  return absl::OkStatus();
}

std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xc0) != 0x80; }));
}

}  // namespace

ContentGate::ContentGate(std::shared_ptr<const governance::ContentFilter> filter, std::size_t calls,
                         std::int32_t n)
    : filter_(std::move(filter)), n_(n), open_(calls * static_cast<std::size_t>(n)) {
  for (std::size_t i = 0; i < open_; ++i) choices_.emplace_back(filter_);
}

absl::StatusOr<bool> ContentGate::check_prompts(std::vector<protocol::GenerateRequest>& requests) {
  const auto& policy = filter_->policy();
  bool blocked = false;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    auto& request = requests[i];
    if (policy.completion.pii == governance::PiiAction::redact && request.logprobs) {
      return parameter_error(
          fmt::format("Invalid 'logprobs': the content policy `{}` redacts answers, whose tokens "
                      "would show what was taken out.",
                      policy.name),
          "logprobs", "invalid_value");
    }
    auto& verdict = prompts_.emplace_back(filter_->verdict(ContentSource::prompt));
    if (!filter_->active(ContentSource::prompt)) continue;
    if (auto* chat = std::get_if<protocol::ChatPrompt>(&request.prompt)) {
      RETURN_IF_ERROR(check_messages(*filter_, chat->messages_json, verdict));
    } else if (auto* text = std::get_if<protocol::TextPrompt>(&request.prompt)) {
      base::json::string checked(text->text);
      check(*filter_, false, checked, verdict);
      text->text = std::string(checked);
    } else {
      return parameter_error(
          fmt::format("Invalid 'prompt': the content policy `{}` checks texts. Send the text "
                      "instead of token ids.",
                      policy.name),
          "prompt", "invalid_type");
    }
    blocked = blocked || verdict.blocked;
  }
  return !blocked;
}

const governance::ContentVerdict& ContentGate::blocked_prompt() const {
  const auto found = std::find_if(prompts_.begin(), prompts_.end(),
                                  [](const auto& verdict) { return verdict.blocked; });
  CHECK(found != prompts_.end());
  return *found;
}

ContentGate::Choice& ContentGate::choice_at(std::size_t call, std::int32_t index) {
  return choices_.at(call * static_cast<std::size_t>(n_) + static_cast<std::size_t>(index));
}

void ContentGate::pass(std::size_t call, protocol::GenerateEvent event, Answer& answer,
                       std::string& out) {
  if (auto* delta = std::get_if<protocol::Delta>(&event))
    return pass_delta(call, std::move(*delta), answer, out);
  if (auto* over = std::get_if<protocol::ChoiceEnd>(&event)) {
    auto& choice = choice_at(call, over->index);
    if (choice.over) return;
    protocol::Delta rest;
    rest.index = over->index;
    rest.text = choice.stream.finish();
    if (!choice.stream.blocked()) rest.logprobs = take_logprobs(choice, kEverything);
    tell(call, over->index, choice, answer);
    if (!rest.text.empty() || !rest.logprobs.empty()) answer.add(call, std::move(rest), out);
    return end(call, choice, *over, answer, out);
  }
  answer.add(call, std::move(event), out);
}

void ContentGate::pass_delta(std::size_t call, protocol::Delta delta, Answer& answer,
                             std::string& out) {
  auto& choice = choice_at(call, delta.index);
  if (choice.over) return;
  for (auto& position : delta.logprobs) {
    choice.bytes += position.chosen.bytes.size();
    choice.waiting.emplace_back(choice.bytes, std::move(position));
  }
  const auto index = delta.index;
  choice.characters += characters_of(delta.text);
  delta.text = choice.stream.push(std::move(delta.text));
  delta.logprobs =
      take_logprobs(choice, choice.stream.blocked() ? choice.stream.verdict().block_begin
                                                    : choice.stream.checked_bytes());
  tell(call, index, choice, answer);
  if (!delta.text.empty() || !delta.logprobs.empty()) answer.add(call, std::move(delta), out);
  if (!choice.stream.blocked()) return;
  end(call, choice, {index, protocol::FinishReason::content_filter, ""}, answer, out);
}

void ContentGate::end(std::size_t call, Choice& choice, protocol::ChoiceEnd end, Answer& answer,
                      std::string& out) {
  if (choice.stream.blocked()) {
    end = {end.index, protocol::FinishReason::content_filter, ""};
    any_blocked_ = true;
  }
  if (filter_->policy().mode == governance::ContentMode::asynchronous_filter)
    answer.checked_until(call, end.index, choice.characters, out);
  choice.over = true;
  --open_;
  answer.add(call, std::move(end), out);
}

void ContentGate::tell(std::size_t call, std::int32_t index, Choice& choice, Answer& answer) {
  if (!filter_->active(ContentSource::completion)) return;
  auto verdict = base::to_json(governance::content_filter_results(choice.stream.verdict()));
  if (verdict == choice.told) return;
  answer.checked(call, index, verdict);
  choice.told = std::move(verdict);
}

std::vector<protocol::PositionLogprobs> ContentGate::take_logprobs(Choice& choice,
                                                                   std::size_t until) {
  std::vector<protocol::PositionLogprobs> out;
  while (!choice.waiting.empty() && choice.waiting.front().first <= until) {
    out.push_back(std::move(choice.waiting.front().second));
    choice.waiting.pop_front();
  }
  return out;
}

}  // namespace plinth::api
