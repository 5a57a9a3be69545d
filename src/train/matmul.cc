#include "train/matmul.h"

#include <algorithm>
#include <vector>

#include "base/units.h"

namespace plinth::train {

namespace {

// Of C, by one thread: sums of a tile stay in registers and the first-level cache.
constexpr std::int64_t kTileRows = 8, kTileColumns = 64;

// In fp64, for tests: b as [k, columns] from column `first` on, so that the inner loop runs along
// memory.
template <typename T>
void copy_columns(const Product<T>& p, std::int64_t first, std::int64_t columns, T* out) {
  for (std::int64_t k = 0; k < p.k; ++k) {
    for (std::int64_t j = 0; j < columns; ++j) {
      out[k * kTileColumns + j] =
          p.transpose_b ? p.b[(first + j) * p.k + k] : p.b[k * p.n + first + j];
    }
  }
}

template <typename T>
void tile(const Product<T>& p, std::int64_t row, std::int64_t rows, std::int64_t first,
          std::int64_t columns, const T* b) {
  T sums[kTileRows][kTileColumns] = {};
  for (std::int64_t k = 0; k < p.k; ++k) {
    const T* b_row = b + k * kTileColumns;
    for (std::int64_t i = 0; i < rows; ++i) {
      const T a = p.transpose_a ? p.a[k * p.m + row + i] : p.a[(row + i) * p.k + k];
      for (std::int64_t j = 0; j < kTileColumns; ++j) sums[i][j] += a * b_row[j];
    }
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    T* c = p.c + (row + i) * p.n + first;
    for (std::int64_t j = 0; j < columns; ++j) c[j] = p.accumulate ? c[j] + sums[i][j] : sums[i][j];
  }
}

}  // namespace

template <>
void matmul(const Product<float>& p, Compute& compute) {
  tensor::Gemm gemm;
  gemm.m = p.m;
  gemm.n = p.n;
  gemm.k = p.k;
  gemm.a = {p.a, p.transpose_a ? p.m : p.k, p.transpose_a};
  gemm.b = {p.b, p.transpose_b ? p.k : p.n, p.transpose_b};
  gemm.c = p.c;
  gemm.ldc = p.n;
  gemm.accumulate = p.accumulate;
  tensor::gemm(gemm, compute.precision, compute.isa, compute.workspace, compute.threads);
}

void multiply_packed(const float* a, std::int64_t m, const tensor::PackedOperand& b, float* c,
                     bool accumulate, Compute& compute) {
  tensor::Gemm gemm;
  gemm.m = m;
  gemm.n = b.n();
  gemm.k = b.k();
  gemm.a = {a, b.k()};
  gemm.packed_b = &b;
  gemm.c = c;
  gemm.ldc = b.n();
  gemm.accumulate = accumulate;
  tensor::gemm(gemm, compute.precision, compute.isa, compute.workspace, compute.threads);
}

template <>
void matmul(const Product<double>& p, Compute& compute) {
  compute.threads.parallel_for(
      base::ceil_div(p.n, kTileColumns), 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<double> b(static_cast<std::size_t>(p.k * kTileColumns));
        for (auto strip = begin; strip < end; ++strip) {
          const auto first = strip * kTileColumns;
          const auto columns = std::min(kTileColumns, p.n - first);
          copy_columns(p, first, columns, b.data());
          for (std::int64_t row = 0; row < p.m; row += kTileRows) {
            tile(p, row, std::min(kTileRows, p.m - row), first, columns, b.data());
          }
        }
      });
}

}  // namespace plinth::train
