#include "engine/run/feed_forward.h"

#include "base/check.h"

namespace plinth::engine {

void FeedForward::run(const PackedFeedForward& weights, const float* x, tensor::Rows rows, float* y,
                      absl::FunctionRef<void(int row)> make_row) {
  auto& pool = context_.pool;
  const int m = rows.count;
  const std::int64_t d = context_.spec.width;
  const std::int64_t in = weights.in->rows(), ff = weights.down->columns();
  const auto ld = tensor::row_stride(in);
  inner_.resize(static_cast<std::size_t>(m * ld));
  weights.in->prepare_made(x, d, rows, activations_, pool, make_row);
  weights.in->multiply(activations_, m, inner_.data(), ld, pool);
  weights.down->prepare_made(inner_.data(), ld, rows, activations_, pool, [&](int t) {
    float* row = inner_.data() + t * ld;
    if (!weights.in_bias.empty()) context_.ops.add(row, weights.in_bias.data(), in);
    activate(row, ff);
  });
  weights.down->multiply(activations_, m, y, d, pool);
  if (weights.down_bias == nullptr || weights.down_bias->empty()) return;
  for (int t = 0; t < m; ++t) context_.ops.add(y + t * d, weights.down_bias->data(), d);
}

// row: gate [ff] then up [ff] where gated, else up [ff]. The result is in the first ff.
void FeedForward::activate(float* row, std::int64_t ff) const {
  const auto& ops = context_.ops;
  const bool gated = context_.spec.gated;
  switch (context_.spec.activation) {
    case model::Activation::silu:
      CHECK(gated);
      ops.silu_mul(row, row + ff, ff);
      return;
    case model::Activation::gelu_tanh:
      gated ? ops.gelu_tanh_mul(row, row + ff, ff) : ops.gelu_tanh(row, ff);
      return;
    case model::Activation::gelu_erf:
      ops.gelu_erf(row, ff);
      for (std::int64_t i = 0; gated && i < ff; ++i) row[i] *= row[ff + i];
      return;
  }
}

}  // namespace plinth::engine
