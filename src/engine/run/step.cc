#include "engine/run/step.h"

namespace plinth::engine {

void norm_rows(const RunContext& context, const float* x, const model::NormWeights& weights, int m,
               float* y) {
  const auto& spec = context.spec;
  const std::int64_t d = spec.width;
  context.pool.parallel_for(m, 16, [&](std::int64_t begin, std::int64_t end) {
    for (auto t = begin; t < end; ++t) {
      if (spec.norm == model::NormKind::rms) {
        context.ops.rms_norm(x + t * d, weights.weight.data(), spec.norm_epsilon, spec.width,
                             y + t * d);
      } else {
        context.ops.layer_norm(x + t * d, weights.weight.data(), weights.bias.data(),
                               spec.norm_epsilon, spec.width, y + t * d);
      }
    }
  });
}

void add_rows(const RunContext& context, const float* y, int m, float* x) {
  const std::int64_t d = context.spec.width;
  context.pool.parallel_for(m, 32, [&](std::int64_t begin, std::int64_t end) {
    context.ops.add(x + begin * d, y + begin * d, (end - begin) * d);
  });
}

}  // namespace plinth::engine
