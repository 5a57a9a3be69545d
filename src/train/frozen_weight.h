// A weight that does not learn, of any type that is stored.
#pragma once

#include "base/check.h"
#include "tensor/linear.h"
#include "train/weight.h"

namespace plinth::train {

class FrozenWeight : public Weight<float> {
 public:
  bool learns() const final { return false; }
  void add_gradient(const float*, const float*, std::int64_t, Compute&) final { CHECK(learns()); }
  void scatter_gradient(std::span<const std::int32_t>, const float*, Compute&) final {
    CHECK(learns());
  }
  void gather(std::span<const std::int32_t> ids, float* out, Compute&) const final {
    tensor::gather_rows(stored_, ids, out);
  }

 protected:
  // `stored` outlives it.
  explicit FrozenWeight(const tensor::MatrixView& stored)
      : Weight<float>(stored.rows, stored.columns), stored_(stored) {}
  const tensor::MatrixView stored_;
};

}  // namespace plinth::train
