#include "engine/speculate/speculator.h"

#include <algorithm>

#include "engine/limits.h"

namespace plinth::engine {

namespace {

Choice& choice_of(const ScheduledChunk& chunk) { return static_cast<Choice&>(*chunk.sequence); }

// Of a sequence that goes on from its last token. Its prompt's end is not one: logits of the prompt
// may be wanted, and nothing is known yet of what it repeats.
bool decodes(const ScheduledChunk& chunk) {
  return chunk.tokens == 1 && chunk.sequence->missing() == 1 &&
         choice_of(chunk).output_tokens() > 0;
}

}  // namespace

void Speculator::draft(std::vector<ScheduledChunk>& chunks, Scheduler& scheduler) {
  if (drafter_ == nullptr) return;
  decoding_.clear();
  queries_.clear();
  for (auto& chunk : chunks) {
    Choice& choice = choice_of(chunk);
    choice.draft.tokens.clear();
    if (!decodes(chunk)) continue;
    // The step gives one token without any draft.
    const auto useful = choice.request.output_tokens_max - choice.output_tokens() - 1;
    decoding_.push_back(&chunk);
    queries_.push_back({choice.arrival, choice.tokens, std::clamp(useful, 0, kDraftTokensMax),
                        std::move(choice.draft)});
  }
  if (queries_.empty()) return;
  drafter_->propose(queries_);
  candidates_.clear();
  for (std::size_t i = 0; i < queries_.size(); ++i) {
    Choice& choice = choice_of(*decoding_[i]);
    choice.draft = std::move(queries_[i].draft);
    candidates_.push_back({choice.acceptance.chance(choice.draft.confidence),
                           static_cast<std::int32_t>(choice.draft.tokens.size())});
  }
  plan_drafts(candidates_, static_cast<std::int32_t>(decoding_.size()), cost_.token_share());
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    if (candidates_[i].planned == 0) continue;
    ScheduledChunk& chunk = *decoding_[i];
    scheduler.add_drafts(chunk, candidates_[i].planned);
    drafted_ += chunk.drafts;
    Choice& choice = choice_of(chunk);
    choice.to_compute.assign(1, choice.tokens.back());
    choice.to_compute.insert(choice.to_compute.end(), choice.draft.tokens.begin(),
                             choice.draft.tokens.begin() + chunk.drafts);
  }
}

bool Speculator::verify(Choice& choice, std::int32_t drafts, std::int32_t place,
                        std::int32_t token) {
  const auto& guess = choice.draft.tokens;
  if (static_cast<std::size_t>(place) >= guess.size()) return false;
  const bool right = guess[static_cast<std::size_t>(place)] == token;
  choice.acceptance.observe(choice.draft.confidence, right);
  if (!right || place >= drafts) return false;
  ++accepted_;
  return true;
}

void Speculator::observe(const std::vector<ScheduledChunk>& chunks, base::Duration time) {
  std::int32_t tokens = 0;
  for (const auto& chunk : chunks) {
    if (chunk.tokens != 1) return;
    tokens += 1 + chunk.drafts;
  }
  cost_.observe(tokens, time);
}

void Speculator::forget(const Choice& choice) {
  if (drafter_ != nullptr) drafter_->forget(choice.arrival);
}

}  // namespace plinth::engine
