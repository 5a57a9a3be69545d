// A frozen weight that stays as it is stored, quantised or not: a product makes some rows of it
// plain at a time. Dettmers et al., "QLoRA", 2023, with the types that models are served in.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"
#include "train/weight.h"

namespace plinth::train {

class StoredWeight final : public Weight<float> {
 public:
  // Of plain numbers at once: the third-level cache has them until the product has read them.
  static constexpr std::int64_t kPlainNumbers = std::int64_t{2} << 20;
  // `stored`, of any type, outlives it. plain_numbers: fewer in tests.
  explicit StoredWeight(const tensor::MatrixView& stored,
                        std::int64_t plain_numbers = kPlainNumbers);

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
  // Calls body(first row, rows, their numbers).
  template <typename Body>
  void for_plain_rows(Compute& compute, const Body& body) const;

  const tensor::MatrixView stored_;
  const std::int64_t plain_rows_;  // at once
};

}  // namespace plinth::train
