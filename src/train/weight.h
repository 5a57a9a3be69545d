// A matrix that activations are multiplied by, W: [rows, columns] as [outputs, inputs].
#pragma once

#include <cstdint>
#include <span>

#include "train/compute.h"

namespace plinth::train {

// How it is kept, and whether it learns, is its own affair.
template <typename T>
class Weight {
 public:
  virtual ~Weight() = default;
  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  virtual bool learns() const = 0;

  // y (+)= x W^T. x: [m, columns], y: [m, rows].
  virtual void multiply(const T* x, std::int64_t m, T* y, bool accumulate,
                        Compute& compute) const = 0;
  // dx (+)= dy W.
  virtual void multiply_back(const T* dy, std::int64_t m, T* dx, bool accumulate,
                             Compute& compute) const = 0;
  // dW += dy^T x. Where it learns.
  virtual void add_gradient(const T* dy, const T* x, std::int64_t m, Compute& compute) = 0;
  // What many products read is made ready for them once, until its numbers change: then unpack().
  virtual void pack(Compute&) {}
  virtual void unpack() {}
  // Row ids[i] to out[i]. out: [ids.size(), columns].
  virtual void gather(std::span<const std::int32_t> ids, T* out, Compute& compute) const = 0;
  // Row ids[i] of dW += dx[i], in the order of i. Where it learns.
  virtual void scatter_gradient(std::span<const std::int32_t> ids, const T* dx,
                                Compute& compute) = 0;

 protected:
  Weight(std::int64_t rows, std::int64_t columns) : rows_(rows), columns_(columns) {}

 private:
  const std::int64_t rows_, columns_;
};

}  // namespace plinth::train
