// A frozen weight in the form that products read, packed once for both directions.
#pragma once

#include "train/frozen_weight.h"

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
  const tensor::PackedOperand forward_, backward_;  // W^T and W
};

}  // namespace plinth::train
