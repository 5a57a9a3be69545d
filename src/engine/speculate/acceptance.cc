#include "engine/speculate/acceptance.h"

namespace plinth::engine {

namespace {

// Before anything is seen: chat hardly ever follows a pair of tokens, and a passage of eight that
// stood before is mostly a quotation. They weigh as much as kPriorTries observations.
constexpr std::array<double, kConfidences> kPrior{0.15, 0.3, 0.5, 0.75};
constexpr double kPriorTries = 3;

// The last twenty observations make about two thirds of the estimate.
constexpr double kKeep = 0.95;

}  // namespace

double Acceptance::chance(int confidence) const {
  const auto index = static_cast<std::size_t>(confidence);
  const Rate& rate = rates_[index];
  return (rate.hits + kPrior[index] * kPriorTries) / (rate.tries + kPriorTries);
}

void Acceptance::observe(int confidence, bool accepted) {
  Rate& rate = rates_[static_cast<std::size_t>(confidence)];
  rate.hits = rate.hits * kKeep + (accepted ? 1 : 0);
  rate.tries = rate.tries * kKeep + 1;
}

}  // namespace plinth::engine
