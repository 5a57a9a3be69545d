// Speculative decoding as the engine uses it: drafts before the forward pass, verdicts after it.
// Leviathan et al., "Fast inference from transformers via speculative decoding", 2023; but a draft
// is accepted only where the sampler draws that very token, so that nothing it says can change an
// answer.
#pragma once

#include <memory>
#include <vector>

#include "engine/request/request.h"
#include "engine/sched/scheduler.h"
#include "engine/speculate/drafter.h"
#include "engine/speculate/plan_drafts.h"
#include "engine/speculate/step_cost.h"

namespace plinth::engine {

// One owner thread. Its sequences are Choices.
class Speculator {
 public:
  // Without a drafter there are no drafts.
  explicit Speculator(std::unique_ptr<Drafter> drafter) : drafter_(std::move(drafter)) {}

  // Between plan() and the forward pass: gives each choice that decodes its draft, and widens its
  // chunk by as much of it as pays.
  void draft(std::vector<ScheduledChunk>& chunks, Scheduler& scheduler);
  // `token` was sampled for the choice `place` tokens after those it had, of which the step
  // computed `drafts`. True where the draft said so: then the next row of logits is the next
  // token's.
  bool verify(Choice& choice, std::int32_t drafts, std::int32_t place, std::int32_t token);
  // The step took this long, from the forward pass to the last sampled token.
  void observe(const std::vector<ScheduledChunk>& chunks, base::Duration time);
  // The choice has ended.
  void forget(const Choice& choice);

  std::int64_t drafted() const { return drafted_; }
  std::int64_t accepted() const { return accepted_; }

 private:
  const std::unique_ptr<Drafter> drafter_;
  StepCost cost_;
  std::int64_t drafted_ = 0, accepted_ = 0;
  // Of one draft(), each of the same length.
  std::vector<ScheduledChunk*> decoding_;
  std::vector<DraftQuery> queries_;
  std::vector<DraftCandidate> candidates_;
};

}  // namespace plinth::engine
