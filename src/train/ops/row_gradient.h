// A gradient that is added to row by row: where it is new, each row begins at zero when it is first
// asked for, by the thread that then works on it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "train/tape.h"

namespace plinth::train {

template <typename T>
class RowGradient {
 public:
  // var null, or one that wants none: row() is null.
  RowGradient(Tape<T>& tape, Var<T>* var) {
    if (var == nullptr || !var->wants_grad) return;
    columns_ = var->columns;
    grad_ = tape.grad(*var, is_new_);
  }
  // To be asked for once, for every row.
  T* row(std::int64_t r) const {
    if (grad_ == nullptr) return nullptr;
    T* row = grad_ + r * columns_;
    if (is_new_) std::fill_n(row, columns_, T{0});
    return row;
  }

 private:
  T* grad_ = nullptr;
  std::int64_t columns_ = 0;
  bool is_new_ = false;
};

}  // namespace plinth::train
