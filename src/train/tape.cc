#include "train/tape.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "train/rows.h"

namespace plinth::train {

template <typename T>
Var<T>& Tape<T>::leaf(T* value, T* grad, std::int64_t rows, std::int64_t columns) {
  return leaves_.emplace_back(Var<T>{rows, columns, value, grad, grad != nullptr, true});
}

template <typename T>
Var<T>& Tape<T>::make(std::int64_t rows, std::int64_t columns, bool wants_grad) {
  Var<T> var{rows, columns, nullptr, nullptr, wants_grad && recording_, false};
  var.value = pool_.take(static_cast<std::size_t>(var.size()));
  return vars_.emplace_back(var);
}

template <typename T>
void Tape<T>::record(const Var<T>& var, std::function<void()> backward) {
  if (!recording_ || !var.wants_grad) return;
  nodes_.push_back({&var, claimed_, std::move(backward)});
  claimed_ = vars_.size();
}

template <typename T>
void Tape<T>::mark(std::function<void()> passed) {
  if (recording_) nodes_.push_back({nullptr, vars_.size(), std::move(passed)});
}

template <typename T>
T* Tape<T>::grad(Var<T>& var) {
  bool is_new = false;
  T* grad = this->grad(var, is_new);
  if (!is_new) return grad;
  for_rows(compute_.threads, var.rows,
           [&](std::int64_t row) { std::fill_n(grad + row * var.columns, var.columns, T{0}); });
  return grad;
}

template <typename T>
T* Tape<T>::grad(Var<T>& var, bool& is_new) {
  CHECK(var.wants_grad);
  is_new = var.grad == nullptr;
  if (is_new) var.grad = pool_.take(static_cast<std::size_t>(var.size()));
  return var.grad;
}

template <typename T>
void Tape<T>::release(Var<T>& var) {
  const auto count = static_cast<std::size_t>(var.size());
  if (var.grad != nullptr) pool_.give(std::exchange(var.grad, nullptr), count);
  if (var.value != nullptr) pool_.give(std::exchange(var.value, nullptr), count);
}

template <typename T>
void Tape<T>::drop_vars(std::size_t count) {
  while (vars_.size() > count) {
    release(vars_.back());
    vars_.pop_back();
  }
  claimed_ = std::min(claimed_, count);
}

template <typename T>
void Tape<T>::backward_to(std::size_t node_count) {
  while (nodes_.size() > node_count) {
    const auto node = std::move(nodes_.back());
    nodes_.pop_back();
    // Where nobody used it nothing depends on what it is made of.
    if (node.var == nullptr || node.var->grad != nullptr) node.backward();
    drop_vars(node.vars_before);
  }
}

template <typename T>
void Tape<T>::backward() {
  backward_to(0);
  clear();
}

template <typename T>
void Tape<T>::clear() {
  nodes_.clear();
  drop_vars(0);
  leaves_.clear();
  claimed_ = 0;
}

template <typename T>
Var<T>& Tape<T>::recompute(Var<T>& input, Body body) {
  const auto before = vars_.size();
  const bool was_recording = std::exchange(recording_, false);
  Var<T>& inner = body(input);
  recording_ = was_recording;
  Var<T> kept = inner;
  CHECK(&inner == &vars_.back());
  inner.value = nullptr;
  drop_vars(before);
  kept.wants_grad = recording_;
  Var<T>& output = vars_.emplace_back(kept);
  record(output, [this, &input, &output, body = std::move(body)] {
    const auto nodes = nodes_.size();
    const auto vars = claimed_ = vars_.size();
    Var<T>& again = body(input);
    if (again.wants_grad) {
      again.grad = std::exchange(output.grad, nullptr);
      backward_to(nodes);
    }
    drop_vars(vars);
  });
  return output;
}

template class Tape<float>;
template class Tape<double>;

}  // namespace plinth::train
