#include "train/spike_guard.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace plinth::train {

SpikeGuard::SpikeGuard(const SpikeGuardOptions& options) : options_(options) {
  remembered_.assign(static_cast<std::size_t>(2 * options.window),
                     std::numeric_limits<float>::quiet_NaN());
}

bool SpikeGuard::skips(double loss, double gradient_norm) {
  float* losses = remembered_.data();
  float* norms = losses + options_.window;
  const bool skips = options_.on && steps_ >= options_.least &&
                     (stands_out(losses, loss) || stands_out(norms, gradient_norm));
  const auto at = steps_ % options_.window;
  losses[at] = static_cast<float>(loss);
  norms[at] = static_cast<float>(gradient_norm);
  ++steps_;
  return skips;
}

bool SpikeGuard::stands_out(const float* row, double value) const {
  const auto count = std::min(steps_, options_.window);
  double sum = 0, squares = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(row[i]);
  const double mean = sum / static_cast<double>(count);
  for (std::int64_t i = 0; i < count; ++i) {
    const double off = static_cast<double>(row[i]) - mean;
    squares += off * off;
  }
  return value > mean + options_.deviations * std::sqrt(squares / static_cast<double>(count));
}

}  // namespace plinth::train
