#include "train/stored_weight.h"

#include <algorithm>

#include "base/check.h"
#include "tensor/linear.h"
#include "train/rows.h"

namespace plinth::train {

StoredWeight::StoredWeight(const tensor::MatrixView& stored, std::int64_t plain_numbers)
    : Weight<float>(stored.rows, stored.columns),
      stored_(stored),
      plain_rows_(std::clamp<std::int64_t>(plain_numbers / stored.columns, 1, stored.rows)) {}

template <typename Body>
void StoredWeight::for_plain_rows(Compute& compute, const Body& body) const {
  const auto bytes = tensor::row_bytes(stored_.dtype, columns());
  float* plain =
      compute.lanes.front().scratch.reserve(static_cast<std::size_t>(plain_rows_ * columns()));
  for (std::int64_t first = 0; first < rows(); first += plain_rows_) {
    const auto count = std::min(plain_rows_, rows() - first);
    for_rows(compute.threads, count, [&](std::int64_t r) {
      tensor::dequantize_row(stored_.dtype,
                             stored_.data + static_cast<std::size_t>(first + r) * bytes,
                             plain + r * columns(), columns());
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

void StoredWeight::gather(std::span<const std::int32_t> ids, float* out, Compute&) const {
  tensor::gather_rows(stored_, ids, out);
}

void StoredWeight::add_gradient(const float*, const float*, std::int64_t, Compute&) {
  CHECK(learns());
}

void StoredWeight::scatter_gradient(std::span<const std::int32_t>, const float*, Compute&) {
  CHECK(learns());
}

}  // namespace plinth::train
