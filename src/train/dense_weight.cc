#include "train/dense_weight.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/check.h"
#include "train/matmul.h"
#include "train/ops/dot.h"
#include "train/rows.h"

namespace plinth::train {

template <typename T>
void DenseWeight<T>::multiply(const T* x, std::int64_t m, T* y, bool accumulate,
                              Compute& compute) const {
  matmul<T>({m, this->rows(), this->columns(), x, false, value_, true, y, accumulate}, compute);
}

template <typename T>
void DenseWeight<T>::multiply_back(const T* dy, std::int64_t m, T* dx, bool accumulate,
                                   Compute& compute) const {
  matmul<T>({m, this->columns(), this->rows(), dy, false, value_, false, dx, accumulate}, compute);
}

template <typename T>
void DenseWeight<T>::add_gradient(const T* dy, const T* x, std::int64_t m, Compute& compute) {
  CHECK(learns());
  matmul<T>({this->rows(), this->columns(), m, dy, true, x, false, grad_, true}, compute);
}

template <typename T>
void DenseWeight<T>::gather(std::span<const std::int32_t> ids, T* out, Compute& compute) const {
  const auto columns = this->columns();
  for_rows(compute.threads, static_cast<std::int64_t>(ids.size()), [&](std::int64_t i) {
    std::copy_n(value_ + std::int64_t{ids[static_cast<std::size_t>(i)]} * columns, columns,
                out + i * columns);
  });
}

template <typename T>
void DenseWeight<T>::scatter_gradient(std::span<const std::int32_t> ids, const T* dx,
                                      Compute& compute) {
  CHECK(learns());
  const auto columns = this->columns();
  // Every row of the gradient is one thread's, which adds in the order of the batch.
  std::vector<std::int32_t> order(ids.size());
  std::iota(order.begin(), order.end(), 0);
  const auto id_of = [&](std::int32_t i) { return ids[static_cast<std::size_t>(i)]; };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int32_t a, std::int32_t b) { return id_of(a) < id_of(b); });
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || id_of(order[i]) != id_of(order[i - 1])) starts.push_back(i);
  }
  starts.push_back(order.size());
  for_rows(compute.threads, static_cast<std::int64_t>(starts.size()) - 1, [&](std::int64_t group) {
    const auto begin = starts[static_cast<std::size_t>(group)];
    T* row = grad_ + std::int64_t{id_of(order[begin])} * columns;
    for (auto i = begin; i < starts[static_cast<std::size_t>(group) + 1]; ++i) {
      add_scaled<T>(1, dx + std::int64_t{order[i]} * columns, columns, row);
    }
  });
}

template class DenseWeight<float>;
template class DenseWeight<double>;

}  // namespace plinth::train
