// The gradients of a step over all ranks, summed while the way back still goes on.
#pragma once

#include <cstddef>

#include "base/status.h"
#include "train/collective.h"
#include "train/parameters.h"

namespace plinth::train {

// Of one step. All ranks hand over the same parameters in the same order: from the last to the
// first, as a way back makes them final.
class GradientSum {
 public:
  // The references outlive it.
  GradientSum(Parameters<float>& parameters, Collective& ranks)
      : parameters_(parameters), ranks_(ranks), begin_(parameters.all().size()) {}

  // Nobody adds any more to gradients of parameters from the index `begin` on.
  void final_from(std::size_t begin);
  // Nor to any other. Each rank has the sums in its stretches then.
  absl::Status finish();

 private:
  Parameters<float>& parameters_;
  Collective& ranks_;
  std::size_t begin_;  // of those that were handed over
  absl::Status status_;
};

}  // namespace plinth::train
