// How many drafted tokens of each sequence are worth their time in a step.
#pragma once

#include <cstdint>
#include <span>

namespace plinth::engine {

struct DraftCandidate {
  double chance = 0;            // that a drafted token is accepted, if those before it were
  std::int32_t tokens_max = 0;  // drafted
  std::int32_t planned = 0;     // the answer
  double gain = 0;              // what one more token would bring; 0 = there is none
};

// Answers the candidates, with kDraftStepTokensMax together at most. decodes: sequences that get
// a token in this step, at least one; token_share: StepCost's.
//
// The tokens of a step over its time are its speed. A draft's j-th token brings chance^j tokens
// and costs token_share; the best are taken as long as the step gets faster by them. With many
// decodes a step's time is mostly its tokens', and hardly any draft pays.
void plan_drafts(std::span<DraftCandidate> candidates, std::int32_t decodes, double token_share);

}  // namespace plinth::engine
