#include "train/ops/activation.h"

#include <cmath>
#include <numbers>
#include <type_traits>

#include "base/check.h"
#include "train/ops/row_gradient.h"
#include "train/rows.h"

namespace plinth::train {

namespace {

// An activation and its slope at x.
template <typename T>
struct Point {
  T value, slope;
};

template <typename T>
Point<T> silu(T x) {
  const T s = 1 / (1 + std::exp(-x));
  return {x * s, s * (1 + x * (1 - s))};
}

// x (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3).
template <typename T>
Point<T> gelu_tanh(T x) {
  const T factor = std::sqrt(T{2} * std::numbers::inv_pi_v<T>), cubic = static_cast<T>(0.044715);
  const T t = std::tanh(factor * (x + cubic * x * x * x));
  const T slope = factor * (1 + 3 * cubic * x * x);
  return {x * (1 + t) / 2, (1 + t) / 2 + x * (1 - t * t) * slope / 2};
}

template <typename T>
Point<T> gelu_erf(T x) {
  const T cumulative = std::erfc(-x / std::numbers::sqrt2_v<T>) / 2;
  const T density = std::exp(-x * x / 2) * std::numbers::inv_sqrtpi_v<T> / std::numbers::sqrt2_v<T>;
  return {x * cumulative, cumulative + x * density};
}

template <typename T>
Point<T> at(model::Activation activation, T x) {
  switch (activation) {
    case model::Activation::silu:
      return silu(x);
    case model::Activation::gelu_tanh:
      return gelu_tanh(x);
    case model::Activation::gelu_erf:
      break;
  }
  return gelu_erf(x);
}

// For a whole row at once, where there is such a thing: gelu by the normal distribution has none.
bool in_rows(model::Activation activation) { return activation != model::Activation::gelu_erf; }

void forward_row(const tensor::GradientOps& ops, model::Activation activation, const float* x,
                 const float* up, std::int64_t n, float* y) {
  const bool is_silu = activation == model::Activation::silu;
  (is_silu ? ops.silu : ops.gelu_tanh)(x, up, n, y);
}
void backward_row(const tensor::GradientOps& ops, model::Activation activation, const float* x,
                  const float* up, const float* dy, std::int64_t n, float* dx, float* dup) {
  const bool is_silu = activation == model::Activation::silu;
  (is_silu ? ops.silu_back : ops.gelu_tanh_back)(x, up, dy, n, dx, dup);
}

// up null = there is no gate.
void forward_rows(Tape<float>& tape, model::Activation activation, const Var<float>& x,
                  const Var<float>* up, Var<float>& y) {
  for_rows(tape.threads(), x.rows, [&](std::int64_t r) {
    const auto at = r * x.columns;
    forward_row(tape.compute().ops, activation, x.value + at,
                up == nullptr ? nullptr : up->value + at, x.columns, y.value + at);
  });
}
void backward_rows(Tape<float>& tape, model::Activation activation, Var<float>& x, Var<float>* up,
                   const Var<float>& y) {
  RowGradient<float> dx(tape, &x), dup(tape, up);
  for_rows(tape.threads(), x.rows, [&](std::int64_t r) {
    const auto at = r * x.columns;
    backward_row(tape.compute().ops, activation, x.value + at,
                 up == nullptr ? nullptr : up->value + at, y.grad + at, x.columns, dx.row(r),
                 dup.row(r));
  });
}

template <typename T, typename Body>
void for_numbers(Tape<T>& tape, const Var<T>& x, const Body& body) {
  for_rows(tape.threads(), x.rows, [&](std::int64_t r) {
    for (auto i = r * x.columns; i < (r + 1) * x.columns; ++i) body(i);
  });
}

}  // namespace

template <typename T>
Var<T>& activate(Tape<T>& tape, Var<T>& x, model::Activation activation) {
  Var<T>& y = tape.make(x.rows, x.columns, x.wants_grad);
  if constexpr (std::is_same_v<T, float>) {
    if (in_rows(activation)) {
      forward_rows(tape, activation, x, nullptr, y);
      tape.record(y,
                  [&tape, &x, &y, activation] { backward_rows(tape, activation, x, nullptr, y); });
      return y;
    }
  }
  for_numbers(tape, x, [&](std::int64_t i) { y.value[i] = at(activation, x.value[i]).value; });
  tape.record(y, [&tape, &x, &y, activation] {
    T* dx = tape.grad(x);
    for_numbers(tape, x,
                [&](std::int64_t i) { dx[i] += y.grad[i] * at(activation, x.value[i]).slope; });
  });
  return y;
}

template <typename T>
Var<T>& activate_gated(Tape<T>& tape, Var<T>& gate, Var<T>& up, model::Activation activation) {
  CHECK(gate.rows == up.rows && gate.columns == up.columns);
  Var<T>& y = tape.make(up.rows, up.columns, gate.wants_grad || up.wants_grad);
  if constexpr (std::is_same_v<T, float>) {
    if (in_rows(activation)) {
      forward_rows(tape, activation, gate, &up, y);
      tape.record(y, [&tape, &gate, &up, &y, activation] {
        backward_rows(tape, activation, gate, &up, y);
      });
      return y;
    }
  }
  for_numbers(tape, up, [&](std::int64_t i) {
    y.value[i] = at(activation, gate.value[i]).value * up.value[i];
  });
  tape.record(y, [&tape, &gate, &up, &y, activation] {
    T* dgate = gate.wants_grad ? tape.grad(gate) : nullptr;
    T* dup = up.wants_grad ? tape.grad(up) : nullptr;
    for_numbers(tape, up, [&](std::int64_t i) {
      const auto point = at(activation, gate.value[i]);
      if (dgate != nullptr) dgate[i] += y.grad[i] * up.value[i] * point.slope;
      if (dup != nullptr) dup[i] += y.grad[i] * point.value;
    });
  });
  return y;
}

template Var<float>& activate(Tape<float>&, Var<float>&, model::Activation);
template Var<double>& activate(Tape<double>&, Var<double>&, model::Activation);
template Var<float>& activate_gated(Tape<float>&, Var<float>&, Var<float>&, model::Activation);
template Var<double>& activate_gated(Tape<double>&, Var<double>&, Var<double>&, model::Activation);

}  // namespace plinth::train
