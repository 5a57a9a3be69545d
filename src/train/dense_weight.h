// A weight in plain numbers, with a gradient where it learns.
#pragma once

#include "train/weight.h"

namespace plinth::train {

// The arrays are the caller's and outlive it.
template <typename T>
class DenseWeight final : public Weight<T> {
 public:
  // value, grad: [rows, columns]; grad null = it is frozen.
  DenseWeight(const T* value, T* grad, std::int64_t rows, std::int64_t columns)
      : Weight<T>(rows, columns), value_(value), grad_(grad) {}

  bool learns() const override { return grad_ != nullptr; }
  void multiply(const T* x, std::int64_t m, T* y, bool accumulate, Compute& compute) const override;
  void multiply_back(const T* dy, std::int64_t m, T* dx, bool accumulate,
                     Compute& compute) const override;
  void add_gradient(const T* dy, const T* x, std::int64_t m, Compute& compute) override;
  void gather(std::span<const std::int32_t> ids, T* out, Compute& compute) const override;
  void scatter_gradient(std::span<const std::int32_t> ids, const T* dx, Compute& compute) override;

 private:
  const T* const value_;
  T* const grad_;
};

extern template class DenseWeight<float>;
extern template class DenseWeight<double>;

}  // namespace plinth::train
