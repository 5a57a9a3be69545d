#include "train/ops/embedding.h"

#include "train/rows.h"

namespace plinth::train {

namespace {

template <typename T>
void scale(Tape<T>& tape, Var<T>& var, T* numbers, T factor) {
  if (factor == 1) return;
  for_rows(tape.threads(), var.rows, [&](std::int64_t r) {
    for (auto i = r * var.columns; i < (r + 1) * var.columns; ++i) numbers[i] *= factor;
  });
}

}  // namespace

template <typename T>
Var<T>& embedding(Tape<T>& tape, Weight<T>& table, const std::vector<std::int32_t>& ids, T factor) {
  Var<T>& y = tape.make(static_cast<std::int64_t>(ids.size()), table.columns(), table.learns());
  table.gather(ids, y.value, tape.compute());
  scale(tape, y, y.value, factor);
  tape.record(y, [&tape, &table, &ids, &y, factor] {
    scale(tape, y, y.grad, factor);
    table.scatter_gradient(ids, y.grad, tape.compute());
  });
  return y;
}

template Var<float>& embedding(Tape<float>&, Weight<float>&, const std::vector<std::int32_t>&,
                               float);
template Var<double>& embedding(Tape<double>&, Weight<double>&, const std::vector<std::int32_t>&,
                                double);

}  // namespace plinth::train
