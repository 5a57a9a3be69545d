#include "engine/run/mixture_of_experts.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace plinth::engine {

void choose_experts(const model::ExpertSpec& spec, const float* logits,
                    std::vector<ChosenExpert>& chosen) {
  const float top = *std::max_element(logits, logits + spec.count);
  float sum = 0;
  chosen.clear();
  for (int i = 0; i < spec.count; ++i) {
    chosen.push_back({i, std::exp(logits[i] - top)});
    sum += chosen.back().weight;
  }
  const auto end = chosen.begin() + spec.used;
  std::partial_sort(chosen.begin(), end, chosen.end(), [](const auto& a, const auto& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.index < b.index;
  });
  chosen.erase(end, chosen.end());
  if (spec.normalize) {
    sum = 0;
    for (const auto& expert : chosen) sum += expert.weight;
  }
  std::sort(chosen.begin(), chosen.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  for (auto& expert : chosen) expert.weight /= sum;
}

void MixtureOfExperts::run(const PackedLayer& layer, const float* x, tensor::Rows rows, float* y,
                           absl::FunctionRef<void(int row)> make_row) {
  const auto& spec = context_.spec.experts;
  const int m = rows.count;
  const std::int64_t d = context_.spec.width;
  logits_.resize(static_cast<std::size_t>(std::int64_t{m} * spec.count));
  layer.router->prepare_made(x, d, rows, activations_, context_.pool, make_row);
  layer.router->multiply(activations_, m, logits_.data(), spec.count, context_.pool);
  by_expert_.resize(static_cast<std::size_t>(spec.count));
  for (auto& choices : by_expert_) choices.clear();
  for (int t = 0; t < m; ++t) {
    choose_experts(spec, logits_.data() + std::int64_t{t} * spec.count, chosen_);
    for (const auto& expert : chosen_) {
      by_expert_[static_cast<std::size_t>(expert.index)].push_back({t, expert.weight});
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
    const auto bulk =
        std::partition_point(choices.begin(), choices.end(),
                             [&](const Choice& choice) { return choice.token < rows.bulk_from; });
    const tensor::Rows chosen(static_cast<int>(choices.size()),
                              static_cast<int>(bulk - choices.begin()));
    feed_forward_.run(layer.experts[expert], rows_.data(), chosen, rows_.data(), [](int) {});
    row = rows_.data();
    for (const auto& choice : choices) {
      context_.ops.scale(row, choice.weight, d);
      context_.ops.add(y + choice.token * d, row, d);
      row += d;
    }
  }
}

}  // namespace plinth::engine
