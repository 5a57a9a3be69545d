#include "train/ops/norm.h"

#include <cmath>
#include <type_traits>

#include "base/check.h"
#include "train/ops/dot.h"
#include "train/rows.h"

namespace plinth::train {

namespace {

// One row of a norm of unit weights: what y is before w, and what divides x.
template <typename T>
struct Unit {
  T mean = 0, scale = 1;
};

// dx += scale * (g - mean(g) [of a layer norm] - u * mean(g u)), where g = dy w and u is the
// normed row.
template <typename T>
void add_input_gradient(const T* x, const T* w, const T* dy, Unit<T> unit, bool centred,
                        std::int64_t n, T* dx) {
  T sum = 0, product = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const T g = dy[i] * w[i];
    sum += g;
    product += g * (x[i] - unit.mean) * unit.scale;
  }
  sum = centred ? sum / static_cast<T>(n) : 0;
  product /= static_cast<T>(n);
  for (std::int64_t i = 0; i < n; ++i) {
    const T u = (x[i] - unit.mean) * unit.scale;
    dx[i] += unit.scale * (dy[i] * w[i] - sum - u * product);
  }
}

template <typename T>
Unit<T> unit_of(const T* x, std::int64_t n, T epsilon, bool centred) {
  Unit<T> unit;
  if (centred) {
    for (std::int64_t i = 0; i < n; ++i) unit.mean += x[i];
    unit.mean /= static_cast<T>(n);
  }
  T squares = 0;
  for (std::int64_t i = 0; i < n; ++i) squares += (x[i] - unit.mean) * (x[i] - unit.mean);
  unit.scale = 1 / std::sqrt(squares / static_cast<T>(n) + epsilon);
  return unit;
}

template <typename T>
Unit<T> norm_row(Compute& compute, const T* x, const T* w, const T* b, T epsilon, bool centred,
                 std::int64_t n, T* y) {
  if constexpr (std::is_same_v<T, float>) {
    const auto unit = compute.ops.norm(x, w, b, epsilon, centred, n, y);
    return {unit.mean, unit.scale};
  } else {
    const auto unit = unit_of(x, n, epsilon, centred);
    for (std::int64_t i = 0; i < n; ++i) {
      const T value = (x[i] - unit.mean) * unit.scale * w[i];
      y[i] = b == nullptr ? value : value + b[i];
    }
    return unit;
  }
}

template <typename T>
void backward(Tape<T>& tape, Var<T>& x, Var<T>& w, Var<T>* b, const Var<T>& y, const Var<T>& units,
              bool centred) {
  const auto n = w.columns;
  const auto rows = x.size() / n;
  const auto unit = [&](std::int64_t r) {
    return Unit<T>{units.value[2 * r], units.value[2 * r + 1]};
  };
  if (w.wants_grad) {
    add_over_rows(tape.threads(), rows, n, tape.grad(w), [&](std::int64_t r, T* sums) {
      for (std::int64_t i = 0; i < n; ++i) {
        sums[i] += y.grad[r * n + i] * (x.value[r * n + i] - unit(r).mean) * unit(r).scale;
      }
    });
  }
  if (b != nullptr && b->wants_grad) {
    add_over_rows(tape.threads(), rows, n, tape.grad(*b), [&](std::int64_t r, T* sums) {
      for (std::int64_t i = 0; i < n; ++i) sums[i] += y.grad[r * n + i];
    });
  }
  if (!x.wants_grad) return;
  T* dx = tape.grad(x);
  for_rows(tape.threads(), rows, [&](std::int64_t r) {
    const auto at = r * n;
    if constexpr (std::is_same_v<T, float>) {
      tape.compute().ops.norm_back(x.value + at, w.value, y.grad + at,
                                   {unit(r).mean, unit(r).scale}, centred, n, dx + at);
    } else {
      add_input_gradient(x.value + at, w.value, y.grad + at, unit(r), centred, n, dx + at);
    }
  });
}

template <typename T>
Var<T>& norm(Tape<T>& tape, Var<T>& x, Var<T>& w, Var<T>* b, T epsilon, bool centred) {
  const auto n = w.columns;
  CHECK(x.columns % n == 0);
  const auto rows = x.size() / n;
  const bool learns = w.wants_grad || (b != nullptr && b->wants_grad);
  Var<T>& units = tape.make(rows, 2, false);
  Var<T>& y = tape.make(x.rows, x.columns, x.wants_grad || learns);
  for_rows(tape.threads(), rows, [&](std::int64_t r) {
    const auto unit =
        norm_row(tape.compute(), x.value + r * n, w.value, b == nullptr ? nullptr : b->value,
                 epsilon, centred, n, y.value + r * n);
    units.value[2 * r] = unit.mean;
    units.value[2 * r + 1] = unit.scale;
  });
  tape.record(
      y, [&tape, &x, &w, b, &y, &units, centred] { backward(tape, x, w, b, y, units, centred); });
  return y;
}

}  // namespace

template <typename T>
Var<T>& rms_norm(Tape<T>& tape, Var<T>& x, Var<T>& w, T epsilon) {
  CHECK(x.columns == w.columns);
  return norm<T>(tape, x, w, nullptr, epsilon, false);
}

template <typename T>
Var<T>& rms_norm_heads(Tape<T>& tape, Var<T>& x, Var<T>& w, T epsilon) {
  return norm<T>(tape, x, w, nullptr, epsilon, false);
}

template <typename T>
Var<T>& layer_norm(Tape<T>& tape, Var<T>& x, Var<T>& w, Var<T>* b, T epsilon) {
  CHECK(x.columns == w.columns);
  return norm(tape, x, w, b, epsilon, true);
}

template Var<float>& rms_norm(Tape<float>&, Var<float>&, Var<float>&, float);
template Var<double>& rms_norm(Tape<double>&, Var<double>&, Var<double>&, double);
template Var<float>& rms_norm_heads(Tape<float>&, Var<float>&, Var<float>&, float);
template Var<double>& rms_norm_heads(Tape<double>&, Var<double>&, Var<double>&, double);
template Var<float>& layer_norm(Tape<float>&, Var<float>&, Var<float>&, Var<float>*, float);
template Var<double>& layer_norm(Tape<double>&, Var<double>&, Var<double>&, Var<double>*, double);

}  // namespace plinth::train
