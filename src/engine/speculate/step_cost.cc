#include "engine/speculate/step_cost.h"

#include <algorithm>

#include "engine/limits.h"

namespace plinth::engine {

namespace {

// Weights are read once a step; what a token adds is arithmetic, a fifth of it on few cores.
constexpr double kPriorShare = 0.2;
// The guess counts as much as steps whose numbers of tokens scatter by this variance.
constexpr double kPriorVariance = 0.1;
// About the last hundred steps.
constexpr double kKeep = 0.99;
constexpr double kLeastShare = 0.01;
// A step that was held up by another process says nothing about its tokens.
constexpr double kOutlier = 3;
constexpr double kTrusted = 8;  // steps, from which on outliers are told

}  // namespace

StepCost::Line StepCost::line() const {
  const double tokens = tokens_ / weight_, ns = ns_ / weight_;
  const double variance = std::max(squares_ / weight_ - tokens * tokens, 0.0);
  const double covariance = products_ / weight_ - tokens * ns;
  const double guess = ns * kPriorShare / (1 + kPriorShare * (tokens - 1));
  const double slope = (covariance + kPriorVariance * guess) / (variance + kPriorVariance);
  return {ns - slope * (tokens - 1), slope};
}

void StepCost::observe(std::int32_t tokens, base::Duration time) {
  auto ns = static_cast<double>(time.count());
  if (tokens > kDraftStepTokensMax || ns <= 0) return;
  if (weight_ > kTrusted) {
    const auto [first, slope] = line();
    const double expected = std::max(first + slope * (tokens - 1), ns_ / weight_ / kOutlier);
    ns = std::clamp(ns, expected / kOutlier, expected * kOutlier);
  }
  weight_ = weight_ * kKeep + 1;
  tokens_ = tokens_ * kKeep + tokens;
  squares_ = squares_ * kKeep + static_cast<double>(tokens) * tokens;
  ns_ = ns_ * kKeep + ns;
  products_ = products_ * kKeep + tokens * ns;
}

double StepCost::token_share() const {
  if (weight_ == 0) return kPriorShare;
  const auto [first, slope] = line();
  return first > 0 ? std::clamp(slope / first, kLeastShare, 1.0) : 1.0;
}

}  // namespace plinth::engine
