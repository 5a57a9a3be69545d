// A frozen weight that stays as it is stored, quantised or not: a product makes some rows of it
// plain at a time. Dettmers et al., "QLoRA", 2023, with the types that models are served in.
#pragma once

#include <cstdint>

#include "train/frozen_weight.h"

namespace plinth::train {

class StoredWeight final : public FrozenWeight {
 public:
  // Of plain numbers at once: the third-level cache has them until the product has read them.
  static constexpr std::int64_t kPlainNumbers = std::int64_t{2} << 20;
  // `stored`, of any type, outlives it. plain_numbers: fewer in tests.
  explicit StoredWeight(const tensor::MatrixView& stored,
                        std::int64_t plain_numbers = kPlainNumbers);

  void multiply(const float* x, std::int64_t m, float* y, bool accumulate,
                Compute& compute) const override;
  void multiply_back(const float* dy, std::int64_t m, float* dx, bool accumulate,
                     Compute& compute) const override;

 private:
  // Calls body(first row, rows, their numbers).
  template <typename Body>
  void for_plain_rows(Compute& compute, const Body& body) const;

  const std::int64_t plain_rows_;  // at once
};

}  // namespace plinth::train
