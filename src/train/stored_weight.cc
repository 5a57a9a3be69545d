#include "train/stored_weight.h"

#include <algorithm>

#include "train/rows.h"

namespace plinth::train {

StoredWeight::StoredWeight(const tensor::MatrixView& stored, std::int64_t plain_numbers)
    : FrozenWeight(stored),
      plain_rows_(std::clamp<std::int64_t>(plain_numbers / stored.columns, 1, stored.rows)) {}

template <typename Body>
void StoredWeight::for_plain_rows(Compute& compute, const Body& body) const {
  float* plain =
      compute.lanes.front().scratch.reserve(static_cast<std::size_t>(plain_rows_ * columns()));
  for (std::int64_t first = 0; first < rows(); first += plain_rows_) {
    const auto count = std::min(plain_rows_, rows() - first);
    for_rows(compute.threads, count, [&](std::int64_t r) {
      tensor::dequantize_row(stored_, first + r, plain + r * columns());
    });
    body(first, count, plain);
  }
}

void StoredWeight::multiply(const float* x, std::int64_t m, float* y, bool accumulate,
                            Compute& compute) const {
  for_plain_rows(compute, [&](std::int64_t first, std::int64_t count, const float* plain) {
    tensor::Gemm gemm;
    gemm.m = m;
    gemm.n = count;
    gemm.k = columns();
    gemm.a = {x, columns()};
    gemm.b = {plain, columns(), true};
    gemm.c = y + first;
    gemm.ldc = rows();
    gemm.accumulate = accumulate;
    tensor::gemm(gemm, compute.precision, compute.isa, compute.workspace, compute.threads);
  });
}

void StoredWeight::multiply_back(const float* dy, std::int64_t m, float* dx, bool accumulate,
                                 Compute& compute) const {
  for_plain_rows(compute, [&](std::int64_t first, std::int64_t count, const float* plain) {
    tensor::Gemm gemm;
    gemm.m = m;
    gemm.n = columns();
    gemm.k = count;
    gemm.a = {dy + first, rows()};
    gemm.b = {plain, columns()};
    gemm.c = dx;
    gemm.ldc = columns();
    gemm.accumulate = accumulate || first > 0;
    tensor::gemm(gemm, compute.precision, compute.isa, compute.workspace, compute.threads);
  });
}

}  // namespace plinth::train
