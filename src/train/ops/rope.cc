#include "train/ops/rope.h"

#include <algorithm>
#include <cmath>

#include "train/rows.h"

namespace plinth::train {

namespace {

// Turned by -1 the way back: a rotation's transpose.
template <typename T>
void turn(const T* in, const T* cosine, const T* sine, const RopeAngles<T>& angles, T way, T* out) {
  const int pairs = angles.dimensions / 2;
  for (int i = 0; i < pairs; ++i) {
    const int first = angles.half_split ? i : 2 * i;
    const int second = angles.half_split ? i + pairs : 2 * i + 1;
    const T a = in[first], b = in[second];
    out[first] = a * cosine[i] - way * b * sine[i];
    out[second] = way * a * sine[i] + b * cosine[i];
  }
}

}  // namespace

template <typename T>
RopeAngles<T> rope_angles(const model::RopeSpec& spec, const Batch& batch) {
  RopeAngles<T> angles;
  angles.dimensions = spec.dimensions;
  angles.half_split = spec.half_split;
  const auto pairs = static_cast<std::size_t>(spec.dimensions / 2);
  for (const auto& document : batch.documents) {
    const bool is_long = !spec.long_frequencies.empty() && document.tokens > spec.original_context;
    const auto& frequencies = is_long ? spec.long_frequencies : spec.frequencies;
    for (std::int64_t position = 0; position < document.tokens; ++position) {
      for (std::size_t i = 0; i < pairs; ++i) {
        const double angle = static_cast<double>(position) * frequencies[i];
        const double factor = spec.attention_factor;
        angles.cosine.push_back(static_cast<T>(std::cos(angle) * factor));
        angles.sine.push_back(static_cast<T>(std::sin(angle) * factor));
      }
    }
  }
  return angles;
}

template <typename T>
Var<T>& rope(Tape<T>& tape, Var<T>& x, const RopeAngles<T>& angles, std::int64_t head_width) {
  Var<T>& y = tape.make(x.rows, x.columns, x.wants_grad);
  const auto pairs = angles.dimensions / 2;
  for_rows(tape.threads(), x.rows, [&](std::int64_t r) {
    std::copy_n(x.value + r * x.columns, x.columns, y.value + r * x.columns);
    for (auto at = r * x.columns; at < (r + 1) * x.columns; at += head_width) {
      turn<T>(x.value + at, &angles.cosine[static_cast<std::size_t>(r * pairs)],
              &angles.sine[static_cast<std::size_t>(r * pairs)], angles, 1, y.value + at);
    }
  });
  tape.record(y, [&tape, &x, &y, &angles, head_width, pairs] {
    // Nobody else reads x: its gradient is what comes here.
    bool is_new = false;
    T* dx = tape.grad(x, is_new);
    for_rows(tape.threads(), x.rows, [&](std::int64_t r) {
      std::vector<T> row(y.grad + r * x.columns, y.grad + (r + 1) * x.columns);
      for (std::int64_t at = 0; at < x.columns; at += head_width) {
        turn<T>(y.grad + r * x.columns + at, &angles.cosine[static_cast<std::size_t>(r * pairs)],
                &angles.sine[static_cast<std::size_t>(r * pairs)], angles, -1, row.data() + at);
      }
      for (std::int64_t i = 0; i < x.columns; ++i) {
        const T before = is_new ? T{0} : dx[r * x.columns + i];
        dx[r * x.columns + i] = before + row[static_cast<std::size_t>(i)];
      }
    });
  });
  return y;
}

template RopeAngles<float> rope_angles(const model::RopeSpec&, const Batch&);
template RopeAngles<double> rope_angles(const model::RopeSpec&, const Batch&);
template Var<float>& rope(Tape<float>&, Var<float>&, const RopeAngles<float>&, std::int64_t);
template Var<double>& rope(Tape<double>&, Var<double>&, const RopeAngles<double>&, std::int64_t);

}  // namespace plinth::train
