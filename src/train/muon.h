// Steps whose direction is the nearest matrix with equal singular values, for the matrices of
// layers. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; scaled so
// that a step is as large as AdamW's: Liu et al., "Muon is scalable for LLM training", 2025.
#pragma once

#include <cstdint>
#include <deque>

#include "base/status.h"
#include "train/collective.h"
#include "train/compute.h"
#include "train/parameters.h"

namespace plinth::train {

struct MuonOptions {
  double momentum = 0.95;  // Nesterov's
  double weight_decay = 0.1;
  double rms = 0.2;  // of a step's numbers, as a part of the learning rate
};

// Of what learns: a matrix inside a layer. All else is AdamW's.
bool muon_takes(const Parameter<float>& parameter);

// x, [rows, columns], becomes U V^T of its singular value decomposition U S V^T, nearly: singular
// values above a 500th of its norm become 0.6 to 1.3. Five steps of Newton and
// Schulz, in the precision of `compute`. Zeros stay zeros.
void orthogonalize(float* x, std::int64_t rows, std::int64_t columns, Compute& compute);

// Momentum is divided among ranks as AdamW's moments are; the matrices take turns being made
// orthogonal. Not thread-safe.
class Muon {
 public:
  // `parameters` outlives it.
  Muon(Parameters<float>& parameters, const MuonOptions& options, const Place& place = {});

  // Of those that it takes; each rank has the gradients of its own stretches, which are used up.
  // Weights are the same on all ranks afterwards.
  absl::Status step(double learning_rate, double gradient_factor, Compute& compute,
                    Collective& ranks);

  struct Momentum {
    Parameter<float>* parameter = nullptr;
    Stretch own;            // of its numbers
    Numbers<float> values;  // of those
  };
  std::deque<Momentum>& momenta() { return momenta_; }

 private:
  const MuonOptions options_;
  std::deque<Momentum> momenta_;
};

}  // namespace plinth::train
