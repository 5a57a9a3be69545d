#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace plinth::train {

namespace {

// Of the whole run.
constexpr double kFallingPart = 0.2;

// What is left of the way from the least to the highest; done: 0 to 1, of what follows warming up.
double left(Decay decay, double done) {
  switch (decay) {
    case Decay::constant:
      return 1;
    case Decay::linear:
      return 1 - done;
    case Decay::cosine:
      return (1 + std::cos(std::numbers::pi * done)) / 2;
    case Decay::wsd:
      break;
  }
  return std::min(1.0, (1 - done) / kFallingPart);
}

}  // namespace

double learning_rate(const ScheduleOptions& options, std::int64_t step, std::int64_t steps) {
  if (step < options.warmup_steps) {
    return options.rate * static_cast<double>(step + 1) / static_cast<double>(options.warmup_steps);
  }
  const auto rest = std::max<std::int64_t>(steps - options.warmup_steps, 1);
  const double done =
      std::min(static_cast<double>(step - options.warmup_steps) / static_cast<double>(rest), 1.0);
  return options.rate * (options.least + (1 - options.least) * left(options.decay, done));
}

}  // namespace plinth::train
