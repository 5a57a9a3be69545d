#include "engine/run/mixture_of_experts.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace plinth::engine {

std::vector<std::pair<int, float>> choose_experts(const model::ExpertSpec& spec, float* logits) {
  const float top = *std::max_element(logits, logits + spec.count);
  float sum = 0;
  for (int i = 0; i < spec.count; ++i) {
    logits[i] = std::exp(logits[i] - top);
    sum += logits[i];
  }
  std::vector<int> order(static_cast<std::size_t>(spec.count));
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + spec.used, order.end(), [&](int a, int b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  order.resize(static_cast<std::size_t>(spec.used));
  if (spec.normalize) {
    sum = 0;
    for (const int i : order) sum += logits[i];
  }
  std::sort(order.begin(), order.end());
  std::vector<std::pair<int, float>> chosen;
  chosen.reserve(order.size());
  for (const int i : order) chosen.emplace_back(i, logits[i] / sum);
  return chosen;
}

void MixtureOfExperts::run(const PackedLayer& layer, const float* x, int m, float* y) {
  const auto& spec = context_.spec.experts;
  const std::int64_t d = context_.spec.width;
  logits_.resize(static_cast<std::size_t>(std::int64_t{m} * spec.count));
  layer.router->prepare(x, d, m, activations_, context_.pool);
  layer.router->multiply(activations_, m, logits_.data(), spec.count, context_.pool);
  by_expert_.resize(static_cast<std::size_t>(spec.count));
  for (auto& choices : by_expert_) choices.clear();
  for (int t = 0; t < m; ++t) {
    for (const auto& [expert, weight] :
         choose_experts(spec, logits_.data() + std::int64_t{t} * spec.count)) {
      by_expert_[static_cast<std::size_t>(expert)].push_back({t, weight});
    }
  }
  std::fill_n(y, m * d, 0.0f);
  for (std::size_t expert = 0; expert < by_expert_.size(); ++expert) {
    const auto& choices = by_expert_[expert];
    if (choices.empty()) continue;
    rows_.resize(choices.size() * static_cast<std::size_t>(d));
    float* row = rows_.data();
    for (const auto& choice : choices) {
      std::memcpy(row, x + choice.token * d, static_cast<std::size_t>(d) * sizeof(float));
      row += d;
    }
    feed_forward_.run(layer.experts[expert], rows_.data(), static_cast<int>(choices.size()),
                      rows_.data());
    row = rows_.data();
    for (const auto& choice : choices) {
      context_.ops.scale(row, choice.weight, d);
      context_.ops.add(y + choice.token * d, row, d);
      row += d;
    }
  }
}

}  // namespace plinth::engine
