// What one more token in a step of decodes costs, learned from how long the steps take.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace plinth::engine {

// A line through the recent steps, time over tokens. Where all steps had as many tokens, or the
// clock stands still, the slope is a guess.
class StepCost {
 public:
  // A step of decodes and drafts, `tokens` together, took this long. Steps over kDraftStepTokensMax
  // tokens, and those that took no time, tell nothing.
  void observe(std::int32_t tokens, base::Duration time);
  // The time of one more token, as a share of the time of a step of one: from 0.01 (free) to 1 (as
  // much as a step of its own).
  double token_share() const;

 private:
  struct Line {
    double first, slope;  // ns of one token, ns of each further one
  };
  Line line() const;

  // Decayed sums over steps: of 1, tokens, tokens squared, ns, tokens times ns.
  double weight_ = 0, tokens_ = 0, squares_ = 0, ns_ = 0, products_ = 0;
};

}  // namespace plinth::engine
