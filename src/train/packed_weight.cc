#include "train/packed_weight.h"

#include <vector>

#include "train/matmul.h"
#include "train/parameters.h"

namespace plinth::train {

namespace {

Numbers<float> plain(const tensor::MatrixView& stored) {
  Numbers<float> values(static_cast<std::size_t>(stored.rows * stored.columns));
  for (std::int64_t r = 0; r < stored.rows; ++r)
    tensor::dequantize_row(stored, r, values.data() + r * stored.columns);
  return values;
}

tensor::PackedOperand packed(const tensor::MatrixView& stored, bool transposed, Compute& compute) {
  const auto values = plain(stored);
  const auto k = transposed ? stored.columns : stored.rows;
  const auto n = transposed ? stored.rows : stored.columns;
  return tensor::PackedOperand::pack({values.data(), stored.columns, transposed}, k, n,
                                     compute.precision, compute.isa, compute.threads);
}

std::optional<tensor::PackedOperand> packed_back(const tensor::MatrixView& stored,
                                                 Compute& compute) {
  if (compute.precision == tensor::GemmPrecision::f32) return std::nullopt;
  return packed(stored, false, compute);
}

}  // namespace

PackedWeight::PackedWeight(const tensor::MatrixView& stored, Compute& compute)
    : FrozenWeight(stored),
      forward_(packed(stored, true, compute)),
      backward_(packed_back(stored, compute)),
      plain_back_(stored) {}

void PackedWeight::multiply(const float* x, std::int64_t m, float* y, bool accumulate,
                            Compute& compute) const {
  multiply_packed(x, m, forward_, y, accumulate, compute);
}

void PackedWeight::multiply_back(const float* dy, std::int64_t m, float* dx, bool accumulate,
                                 Compute& compute) const {
  if (!backward_) return plain_back_.multiply_back(dy, m, dx, accumulate, compute);
  multiply_packed(dy, m, *backward_, dx, accumulate, compute);
}

}  // namespace plinth::train
