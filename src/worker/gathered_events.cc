#include "worker/gathered_events.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace plinth::worker {

namespace {

using protocol::Delta;
using protocol::GenerateEvent;

// Puts the delta at the end of the kept one where both are of one choice, with nothing between.
bool joins(GenerateEvent& last, GenerateEvent& next) {
  auto* kept = std::get_if<Delta>(&last);
  auto* delta = std::get_if<Delta>(&next);
  if (kept == nullptr || delta == nullptr || kept->index != delta->index) return false;
  kept->text += delta->text;
  std::move(delta->logprobs.begin(), delta->logprobs.end(), std::back_inserter(kept->logprobs));
  kept->tokens += delta->tokens;
  if (delta->device_us > 0) kept->device_us = delta->device_us;
  return true;
}

}  // namespace

std::vector<GenerateEvent> GatheredEvents::add(std::vector<GenerateEvent> events) {
  bool waits = true;
  for (auto& event : events) {
    const bool is_delta = std::holds_alternative<Delta>(event);
    if (!is_delta && !std::holds_alternative<protocol::ChoiceEnd>(event)) waits = false;
    if (is_delta && !std::exchange(began_, true)) waits = false;
    if (kept_.empty() || !joins(kept_.back(), event)) kept_.push_back(std::move(event));
  }
  const auto now = clock_.now();
  if (waits && now - sent_ < kTimeMax) return {};
  sent_ = now;
  return std::exchange(kept_, {});
}

}  // namespace plinth::worker
