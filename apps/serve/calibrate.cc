#include "apps/serve/calibrate.h"

#include <algorithm>
#include <cmath>

namespace plinth::serve {

namespace {

// Ten doublings each way: from a thousandth of the start to a thousand times it.
constexpr int kDoublingsMax = 10;
// A unit is what a replica sustains, by this.
constexpr double kUnits = 100;

bool sustained(const Trial& trial) { return trial.good_share >= kGoodShare; }

}  // namespace

absl::StatusOr<Trial> sustain(double start_per_s, int steps, const RunTrial& run) {
  double low = start_per_s;
  ASSIGN_OR_RETURN(Trial best, run(low));
  for (int i = 0; !sustained(best); ++i) {
    if (i == kDoublingsMax) {
      return base::failed_precondition(
          "even single requests do not meet the service level: allow more time for it");
    }
    low /= 2;
    ASSIGN_OR_RETURN(best, run(low));
  }
  double high = low;
  for (int i = 0; i < kDoublingsMax; ++i) {
    high = low * 2;
    ASSIGN_OR_RETURN(const Trial trial, run(high));
    if (!sustained(trial)) break;
    low = high;
    best = trial;
  }
  for (int i = 0; i < steps && low < high; ++i) {
    const double middle = (low + high) / 2;
    ASSIGN_OR_RETURN(const Trial trial, run(middle));
    if (!sustained(trial)) {
      high = middle;
      continue;
    }
    low = middle;
    best = trial;
  }
  return best;
}

Calibration calibrate(const Trial& prompts, const Trial& answers) {
  Calibration made;
  // What is left of the prompts' rate beside the answers' own prompts is what answers are worth.
  const double whole = prompts.input_per_minute + prompts.output_per_minute;
  const double left = whole - answers.input_per_minute;
  if (answers.output_per_minute > 0 && left > 0)
    made.output_weight = std::max<std::int64_t>(1, std::llround(left / answers.output_per_minute));
  // Never more than was measured.
  made.unit_tokens = static_cast<std::int64_t>(std::floor(whole / kUnits));
  return made;
}

}  // namespace plinth::serve
