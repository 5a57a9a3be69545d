#include "engine/speculate/plan_drafts.h"

#include <algorithm>

#include "base/check.h"
#include "engine/limits.h"

namespace plinth::engine {

namespace {

// Below this gain over the break-even point the power that a wrong guess burns is not worth it.
constexpr double kMargin = 1.1;

}  // namespace

void plan_drafts(std::span<DraftCandidate> candidates, std::int32_t decodes, double token_share) {
  CHECK(decodes > 0);
  for (auto& candidate : candidates) {
    candidate.planned = 0;
    candidate.gain = candidate.tokens_max > 0 ? candidate.chance : 0;
  }
  double expected = decodes;                      // tokens of the step
  double time = 1 + token_share * (decodes - 1);  // in steps of one token
  for (int planned = 0; planned < kDraftStepTokensMax && !candidates.empty(); ++planned) {
    auto& best = *std::max_element(candidates.begin(), candidates.end(),
                                   [](const auto& a, const auto& b) { return a.gain < b.gain; });
    if (best.gain * time <= kMargin * token_share * expected) break;
    expected += best.gain;
    time += token_share;
    ++best.planned;
    best.gain = best.planned < best.tokens_max ? best.gain * best.chance : 0;
  }
}

}  // namespace plinth::engine
