// What a replica sustains within a service level, from trials at rising rates: the base of the
// table by which provisioned throughput is sold.
#pragma once

#include <cstdint>
#include <functional>

#include "base/status.h"

namespace plinth::serve {

// What came of one rate.
struct Trial {
  double good_share = 0;                               // of the turns, within the service level
  double input_per_minute = 0, output_per_minute = 0;  // tokens, computed ones
};
using RunTrial = std::function<absl::StatusOr<Trial>(double rate_per_s)>;

// A rate is sustained where so many turns are good.
inline constexpr double kGoodShare = 0.95;

// The trial of the highest rate that is sustained: doubled from `start_per_s` on until one is not,
// then halved in between `steps` times. FailedPrecondition where not even a thousandth of the start
// is.
absl::StatusOr<Trial> sustain(double start_per_s, int steps, const RunTrial& run);

struct Calibration {
  std::int64_t unit_tokens = 0;    // input-equivalent tokens a minute: a hundredth of it all
  std::int64_t output_weight = 1;  // input tokens that an output token is worth
};
// From long prompts with hardly an answer, and long answers to short prompts.
Calibration calibrate(const Trial& prompts, const Trial& answers);

}  // namespace plinth::serve
