#include "train/ops/linear.h"

#include <algorithm>

#include "base/check.h"
#include "base/units.h"
#include "train/ops/dot.h"
#include "train/rows.h"

namespace plinth::train {

namespace {

// dx of y = x W^T, and what W learns.
template <typename T>
void linear_backward(Tape<T>& tape, Var<T>& x, Weight<T>& w, const T* dy) {
  if (w.learns()) w.add_gradient(dy, x.value, x.rows, tape.compute());
  if (!x.wants_grad) return;
  bool is_new = false;
  T* dx = tape.grad(x, is_new);
  w.multiply_back(dy, x.rows, dx, !is_new, tape.compute());
}

template <typename T>
void scale(Tape<T>& tape, T factor, T* x, std::int64_t size) {
  for_rows(tape.threads(), base::ceil_div(size, kSumRows), [&](std::int64_t part) {
    const auto end = std::min(size, (part + 1) * kSumRows);
    for (auto i = part * kSumRows; i < end; ++i) x[i] *= factor;
  });
}

// to (+)= from.
template <typename T>
void pass_on(Tape<T>& tape, const Var<T>& from, Var<T>& to) {
  if (!to.wants_grad) return;
  bool is_new = false;
  T* out = tape.grad(to, is_new);
  for_rows(tape.threads(), from.rows, [&](std::int64_t r) {
    const T* row = from.grad + r * from.columns;
    T* out_row = out + r * from.columns;
    if (is_new) {
      std::copy_n(row, from.columns, out_row);
    } else {
      add_scaled<T>(1, row, from.columns, out_row);
    }
  });
}

}  // namespace

template <typename T>
Var<T>& linear(Tape<T>& tape, Var<T>& x, Weight<T>& w) {
  CHECK(x.columns == w.columns());
  Var<T>& y = tape.make(x.rows, w.rows(), x.wants_grad || w.learns());
  w.multiply(x.value, x.rows, y.value, false, tape.compute());
  tape.record(y, [&tape, &x, &w, &y] { linear_backward(tape, x, w, y.grad); });
  return y;
}

template <typename T>
Var<T>& linear_low_rank(Tape<T>& tape, Var<T>& x, Weight<T>& w, Weight<T>& a, Weight<T>& b,
                        T factor) {
  CHECK(x.columns == w.columns() && a.columns() == x.columns);
  CHECK(b.columns() == a.rows() && b.rows() == w.rows());
  const auto m = x.rows;
  Var<T>& inner = tape.make(m, a.rows(), false);  // factor x A^T
  Var<T>& y = tape.make(m, w.rows(), x.wants_grad || w.learns() || a.learns() || b.learns());
  a.multiply(x.value, m, inner.value, false, tape.compute());
  scale(tape, factor, inner.value, inner.size());
  w.multiply(x.value, m, y.value, false, tape.compute());
  b.multiply(inner.value, m, y.value, true, tape.compute());
  tape.record(y, [&tape, &x, &w, &a, &b, &y, &inner, factor, m] {
    if (b.learns()) b.add_gradient(y.grad, inner.value, m, tape.compute());
    Var<T>& dinner = tape.make(m, a.rows(), false);
    b.multiply_back(y.grad, m, dinner.value, false, tape.compute());
    scale(tape, factor, dinner.value, dinner.size());
    linear_backward(tape, x, w, y.grad);
    linear_backward(tape, x, a, dinner.value);
  });
  return y;
}

template <typename T>
Var<T>& add_bias(Tape<T>& tape, Var<T>& x, Var<T>& bias) {
  CHECK(bias.columns == x.columns);
  Var<T>& y = tape.make(x.rows, x.columns, x.wants_grad || bias.wants_grad);
  for_rows(tape.threads(), x.rows, [&](std::int64_t r) {
    for (std::int64_t i = 0; i < x.columns; ++i)
      y.value[r * x.columns + i] = x.value[r * x.columns + i] + bias.value[i];
  });
  tape.record(y, [&tape, &x, &bias, &y] {
    pass_on(tape, y, x);
    if (!bias.wants_grad) return;
    add_over_rows(tape.threads(), y.rows, y.columns, tape.grad(bias), [&](std::int64_t r, T* sums) {
      add_scaled<T>(1, y.grad + r * y.columns, y.columns, sums);
    });
  });
  return y;
}

template <typename T>
Var<T>& add(Tape<T>& tape, Var<T>& a, Var<T>& b) {
  CHECK(a.rows == b.rows && a.columns == b.columns);
  Var<T>& y = tape.make(a.rows, a.columns, a.wants_grad || b.wants_grad);
  for_rows(tape.threads(), a.rows, [&](std::int64_t r) {
    for (std::int64_t i = r * a.columns; i < (r + 1) * a.columns; ++i)
      y.value[i] = a.value[i] + b.value[i];
  });
  tape.record(y, [&tape, &a, &b, &y] {
    pass_on(tape, y, a);
    pass_on(tape, y, b);
  });
  return y;
}

template Var<float>& linear(Tape<float>&, Var<float>&, Weight<float>&);
template Var<double>& linear(Tape<double>&, Var<double>&, Weight<double>&);
template Var<float>& linear_low_rank(Tape<float>&, Var<float>&, Weight<float>&, Weight<float>&,
                                     Weight<float>&, float);
template Var<double>& linear_low_rank(Tape<double>&, Var<double>&, Weight<double>&, Weight<double>&,
                                      Weight<double>&, double);
template Var<float>& add_bias(Tape<float>&, Var<float>&, Var<float>&);
template Var<double>& add_bias(Tape<double>&, Var<double>&, Var<double>&);
template Var<float>& add(Tape<float>&, Var<float>&, Var<float>&);
template Var<double>& add(Tape<double>&, Var<double>&, Var<double>&);

}  // namespace plinth::train
