// A frozen weight in the form that products read, packed once for both directions.
#pragma once

#include "tensor/dtype.h"
#include "train/weight.h"

namespace plinth::train {

class PackedWeight final : public Weight<float> {
 public:
  // `stored`, of any type, outlives it.
  PackedWeight(const tensor::MatrixView& stored, Compute& compute);

  bool learns() const override { return false; }
  void multiply(const float* x, std::int64_t m, float* y, bool accumulate,
                Compute& compute) const override;
  void multiply_back(const float* dy, std::int64_t m, float* dx, bool accumulate,
                     Compute& compute) const override;
  void add_gradient(const float* dy, const float* x, std::int64_t m, Compute& compute) override;
  void gather(std::span<const std::int32_t> ids, float* out, Compute& compute) const override;
  void scatter_gradient(std::span<const std::int32_t> ids, const float* dx,
                        Compute& compute) override;

 private:
  const tensor::MatrixView stored_;
  const tensor::PackedOperand forward_, backward_;  // W^T and W
};

}  // namespace plinth::train
