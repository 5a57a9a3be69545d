#include "engine/speculate/plan_drafts.h"

#include <algorithm>

#include "base/check.h"
#include "engine/limits.h"

namespace plinth::engine {

namespace {

// Below this gain over the break-even point the power that a wrong guess burns is not worth it.
constexpr double kMargin = 1.1;

}  // namespace

std::vector<std::int32_t> plan_drafts(std::span<const DraftCandidate> candidates,
                                      std::int32_t decodes, double token_share) {
  CHECK(decodes > 0);
  std::vector<std::int32_t> counts(candidates.size(), 0);
  // What one more token of each would bring; 0 = it has none.
  std::vector<double> gains;
  for (const auto& candidate : candidates) {
    gains.push_back(candidate.tokens_max > 0 ? candidate.chance : 0);
  }
  double expected = decodes;                      // tokens of the step
  double time = 1 + token_share * (decodes - 1);  // in steps of one token
  for (int planned = 0; planned < kDraftStepTokensMax && !gains.empty(); ++planned) {
    const auto best =
        static_cast<std::size_t>(std::max_element(gains.begin(), gains.end()) - gains.begin());
    if (gains[best] * time <= kMargin * token_share * expected) break;
    expected += gains[best];
    time += token_share;
    ++counts[best];
    const auto& candidate = candidates[best];
    gains[best] = counts[best] < candidate.tokens_max ? gains[best] * candidate.chance : 0;
  }
  return counts;
}

}  // namespace plinth::engine
