// Steps that are better not taken: whose loss or gradient stands far above those before it.
// OLMo et al., "2 OLMo 2 Furious", 2025, section 3.3: SkipStep.
#pragma once

#include <cstdint>

#include "train/parameters.h"

namespace plinth::train {

struct SpikeGuardOptions {
  bool on = false;
  std::int64_t window = 128;  // steps that are looked back at
  std::int64_t least = 32;    // that must be there
  double deviations = 6;      // above their mean
};

class SpikeGuard {
 public:
  explicit SpikeGuard(const SpikeGuardOptions& options);

  // Whether a step with these is one to skip. Remembers them either way: what stays high is soon no
  // spike any more.
  bool skips(double loss, double gradient_norm);

  // What a run that goes on needs: [2, window], losses and norms of the last steps, with NaN where
  // there was none yet.
  Numbers<float>& remembered() { return remembered_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }
  const SpikeGuardOptions& options() const { return options_; }

 private:
  bool stands_out(const float* row, double value) const;

  const SpikeGuardOptions options_;
  Numbers<float> remembered_;
  std::int64_t steps_ = 0;
};

}  // namespace plinth::train
