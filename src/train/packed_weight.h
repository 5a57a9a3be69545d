// A frozen weight in the form that products read, packed once: for both directions in BF16, forward
// alone in fp32, where twice four bytes a number would be most of a run's memory. Making the stored
// numbers plain costs 2 to 5 % of the time a way there.
#pragma once

#include <optional>

#include "train/frozen_weight.h"
#include "train/stored_weight.h"

namespace plinth::train {

class PackedWeight final : public FrozenWeight {
 public:
  // `stored`, of any type, outlives it.
  PackedWeight(const tensor::MatrixView& stored, Compute& compute);

  void multiply(const float* x, std::int64_t m, float* y, bool accumulate,
                Compute& compute) const override;
  void multiply_back(const float* dy, std::int64_t m, float* dx, bool accumulate,
                     Compute& compute) const override;

 private:
  const tensor::PackedOperand forward_;                  // W^T
  const std::optional<tensor::PackedOperand> backward_;  // W
  const StoredWeight plain_back_;                        // where that is not there
};

}  // namespace plinth::train
