#include "engine/sample/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "engine/sample/softmax.h"

namespace plinth::engine {

namespace {

// Nothing that differs by 1e-3 is drawn at this temperature; colder ones would overflow.
constexpr double kColdest = 1e-5;

// Below this a filter's first look takes so few candidates that sorting them costs nothing.
constexpr std::size_t kFirstLook = 64;

// The more probable first.
constexpr auto kByLogit = [](const auto& a, const auto& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
};

}  // namespace

bool penalises_repetition(const protocol::SamplingParams& params) {
  return params.repetition_penalty != 1.0 || params.presence_penalty != 0.0 ||
         params.frequency_penalty != 0.0;
}

void Sampler::adjust(const protocol::SamplingParams& params, std::span<const float> logits,
                     const TokenCounts& counts) {
  adjusted_.assign(logits.begin(), logits.end());
  const auto at = [&](std::int32_t token) -> float& {
    return adjusted_[static_cast<std::size_t>(token)];
  };
  if (params.repetition_penalty != 1.0) {
    // Keskar et al., "CTRL", 2019: logits are divided when positive, multiplied when negative.
    const auto penalty = static_cast<float>(params.repetition_penalty);
    const auto apply = [&](std::int32_t token) {
      at(token) = at(token) > 0 ? at(token) / penalty : at(token) * penalty;
    };
    for (const auto& [token, count] : counts.prompt) apply(token);
    for (const auto& [token, count] : counts.output) {
      if (!counts.prompt.contains(token)) apply(token);
    }
  }
  if (params.presence_penalty != 0.0 || params.frequency_penalty != 0.0) {
    for (const auto& [token, count] : counts.output) {
      at(token) -= static_cast<float>(params.presence_penalty + params.frequency_penalty * count);
    }
  }
  for (const auto& [token, bias] : params.logit_bias) {
    at(token) = bias <= kBanBias ? -INFINITY : at(token) + bias;
  }
}

double Sampler::total() const {
  double sum = 0;
  for (const auto& c : candidates_) sum += c.probability;
  return sum;
}

template <typename Before>
void Sampler::keep_mass(double mass, const Before& before) {
  const double wanted = mass * total();
  auto& order = scratch_;
  std::size_t sorted = 0, kept = 0;
  double sum = 0;
  while (sum < wanted && kept < order.size()) {
    if (kept == sorted) {
      const auto from = order.begin() + static_cast<std::ptrdiff_t>(sorted);
      sorted = std::min(order.size(), std::max(kFirstLook, sorted * 4));
      const auto to = order.begin() + static_cast<std::ptrdiff_t>(sorted);
      if (to != order.end()) std::nth_element(from, to, order.end(), before);
      std::sort(from, to, before);
    }
    sum += order[kept++].probability;
  }
  const Candidate last = order[std::max<std::size_t>(kept, 1) - 1];
  std::erase_if(candidates_, [&](const Candidate& c) { return before(last, c); });
}

void Sampler::keep_top_k(std::int32_t k) {
  if (k <= 0 || static_cast<std::size_t>(k) >= candidates_.size()) return;
  scratch_ = candidates_;
  const auto last = scratch_.begin() + k - 1;
  std::nth_element(scratch_.begin(), last, scratch_.end(), kByLogit);
  std::erase_if(candidates_, [&](const Candidate& c) { return kByLogit(*last, c); });
}

// Meister et al., "Locally typical sampling", 2023: the tokens whose information is nearest to
// the entropy.
void Sampler::keep_typical(double mass) {
  if (mass >= 1.0) return;
  const double sum = total();
  double entropy = 0;
  for (const auto& c : candidates_) {
    entropy -= c.probability / sum * std::log(c.probability / sum);
  }
  for (auto& c : candidates_) {
    c.distance = std::fabs(-std::log(c.probability / sum) - entropy);
  }
  scratch_ = candidates_;
  keep_mass(mass, [](const Candidate& a, const Candidate& b) {
    return a.distance != b.distance ? a.distance < b.distance : kByLogit(a, b);
  });
}

// Holtzman et al., "The curious case of neural text degeneration", 2020.
void Sampler::keep_top_p(double mass) {
  if (mass >= 1.0) return;
  // All that lie below this share have less than 1 - mass together: the set is full before it
  // comes to them. It leaves a few hundred of a vocabulary.
  const double least = total() * (1.0 - mass) / 2.0 / static_cast<double>(candidates_.size());
  scratch_.clear();
  for (const auto& c : candidates_) {
    if (c.probability >= least) scratch_.push_back(c);
  }
  keep_mass(mass, kByLogit);
}

void Sampler::keep_min_p(double least) {
  if (least <= 0.0) return;
  double best = 0;
  for (const auto& c : candidates_) best = std::max(best, c.probability);
  std::erase_if(candidates_, [&](const Candidate& c) { return c.probability < least * best; });
}

void Sampler::collect(double sum) {
  candidates_.clear();
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (weights_[i] > 0.0f) {
      candidates_.push_back(
          {static_cast<std::int32_t>(i), adjusted_[i], static_cast<double>(weights_[i]) / sum, 0});
    }
  }
}

std::int32_t Sampler::sample(const protocol::SamplingParams& params, std::span<const float> logits,
                             const TokenCounts& counts, double uniform) {
  const bool greedy = params.temperature < kColdest;
  const bool adjusts = penalises_repetition(params) || !params.logit_bias.empty();
  if (greedy && !adjusts) return argmax(logits);
  adjust(params, logits, counts);
  if (greedy) return argmax(adjusted_);
  weights_.resize(adjusted_.size());
  const double sum = exponentials(adjusted_, largest(adjusted_),
                                  static_cast<float>(1.0 / params.temperature), weights_);
  const bool filters =
      params.top_k > 0 || params.typical_p < 1.0 || params.top_p < 1.0 || params.min_p > 0.0;
  std::int32_t last = 0;
  if (!filters) {
    double left = uniform * sum;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      if (weights_[i] == 0.0f) continue;
      last = static_cast<std::int32_t>(i);
      left -= static_cast<double>(weights_[i]);
      if (left < 0) break;
    }
    return last;
  }
  collect(sum);
  keep_top_k(params.top_k);
  keep_typical(params.typical_p);
  keep_top_p(params.top_p);
  keep_min_p(params.min_p);
  CHECK(!candidates_.empty());
  double left = uniform * total();
  for (const auto& c : candidates_) {
    last = c.token;
    left -= c.probability;
    if (left < 0) break;
  }
  return last;
}

}  // namespace plinth::engine
