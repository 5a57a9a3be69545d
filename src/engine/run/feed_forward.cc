#include "engine/run/feed_forward.h"

#include "base/check.h"
#include "engine/run/adapted_rows.h"

namespace plinth::engine {

void FeedForward::run(const PackedFeedForward& weights, const float* x, tensor::Rows rows, float* y,
                      absl::FunctionRef<void(int row)> make_row) {
  auto& pool = context_.pool;
  const int m = rows.count;
  const std::int64_t d = context_.spec.width;
  const std::int64_t in = weights.in->rows(), ff = weights.down->columns();
  const auto ld = tensor::row_stride(in);
  weights.in->prepare_made(x, d, rows, activations_, pool, make_row);
  const auto join = [&](std::int64_t first, std::int64_t count, float* gate, float* up) {
    add_bias(weights.in_bias, first, count, gate);
    add_bias(weights.in_bias, ff + first, count, up);
    activate(gate, up, count);
  };
  // What adapters add to gate and up comes before they are joined.
  const bool adapted = is_adapted(context_, weights.layer, AdaptedInput::feed_forward) ||
                       is_adapted(context_, weights.layer, AdaptedInput::inner);
  if (adapted || !context_.spec.gated ||
      !weights.in->multiply_into(activations_, m, join, *weights.down, inner_activations_, pool)) {
    inner_.resize(static_cast<std::size_t>(m * ld));
    weights.in->multiply(activations_, m, inner_.data(), ld, pool);
    add_adapted(context_, weights.layer, AdaptedInput::feed_forward, x, d, inner_.data(), ld);
    weights.down->prepare_made(inner_.data(), ld, rows, inner_activations_, pool, [&](int t) {
      float* row = inner_.data() + t * ld;
      add_bias(weights.in_bias, 0, in, row);
      activate(row, row + ff, ff);
    });
  }
  weights.down->multiply(inner_activations_, m, y, d, pool);
  add_adapted(context_, weights.layer, AdaptedInput::inner, inner_.data(), ld, y, d);
  if (weights.down_bias == nullptr || weights.down_bias->empty()) return;
  for (int t = 0; t < m; ++t) context_.ops.add(y + t * d, weights.down_bias->data(), d);
}

// bias: [first + count] or more, or empty = 0.
void FeedForward::add_bias(const std::vector<float>& bias, std::int64_t first, std::int64_t count,
                           float* row) const {
  if (!bias.empty()) context_.ops.add(row, bias.data() + first, count);
}

// row, [count], is the gate where there is one, and what comes of both.
void FeedForward::activate(float* row, const float* up, std::int64_t count) const {
  const auto& ops = context_.ops;
  const bool gated = context_.spec.gated;
  switch (context_.spec.activation) {
    case model::Activation::silu:
      CHECK(gated);
      ops.silu_mul(row, up, count);
      return;
    case model::Activation::gelu_tanh:
      gated ? ops.gelu_tanh_mul(row, up, count) : ops.gelu_tanh(row, count);
      return;
    case model::Activation::gelu_erf:
      ops.gelu_erf(row, count);
      for (std::int64_t i = 0; gated && i < count; ++i) row[i] *= up[i];
      return;
  }
}

}  // namespace plinth::engine
