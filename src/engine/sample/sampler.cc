#include "engine/sample/sampler.h"

#include <algorithm>
#include <cmath>

namespace plinth::engine {

namespace {

// Ties go to the smaller id, so that the order of a sort cannot show.
bool better(float a, std::int32_t a_token, float b, std::int32_t b_token) {
  return a != b ? a > b : a_token < b_token;
}

std::int32_t argmax(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

double log_sum_exp(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  return top + std::log(sum);
}

}  // namespace

void Sampler::adjust(const TokenCounts& counts) {
  const auto at = [&](std::int32_t token) -> float& {
    return adjusted_[static_cast<std::size_t>(token)];
  };
  if (params_.repetition_penalty != 1.0) {
    // Keskar et al., "CTRL", 2019: logits are divided when positive, multiplied when negative.
    const auto penalty = static_cast<float>(params_.repetition_penalty);
    const auto apply = [&](std::int32_t token) {
      at(token) = at(token) > 0 ? at(token) / penalty : at(token) * penalty;
    };
    for (const auto& [token, count] : counts.prompt) apply(token);
    for (const auto& [token, count] : counts.output) {
      if (!counts.prompt.contains(token)) apply(token);
    }
  }
  for (const auto& [token, count] : counts.output) {
    at(token) -= static_cast<float>(params_.presence_penalty + params_.frequency_penalty * count);
  }
  for (const auto& [token, bias] : params_.logit_bias) {
    if (token < 0 || static_cast<std::size_t>(token) >= adjusted_.size()) continue;
    at(token) = bias <= -100.0f ? -INFINITY : at(token) + bias;
  }
}

// Fills candidates_ in descending order, cut by top_k, with probabilities that sum to 1.
void Sampler::collect() {
  candidates_.clear();
  const float top = *std::max_element(adjusted_.begin(), adjusted_.end());
  // Below e^-30 of the best a token cannot be drawn with 53 random bits that any test could see.
  const auto cut = top - static_cast<float>(30.0 * std::max(params_.temperature, 1e-3));
  for (std::size_t i = 0; i < adjusted_.size(); ++i) {
    if (adjusted_[i] >= cut && adjusted_[i] > -INFINITY) {
      candidates_.push_back({static_cast<std::int32_t>(i), adjusted_[i], 0});
    }
  }
  const auto order = [](const Candidate& a, const Candidate& b) {
    return better(a.logit, a.token, b.logit, b.token);
  };
  const auto k = static_cast<std::size_t>(params_.top_k);
  if (params_.top_k > 0 && k < candidates_.size()) {
    std::nth_element(candidates_.begin(), candidates_.begin() + params_.top_k, candidates_.end(),
                     order);
    candidates_.resize(k);
  }
  std::sort(candidates_.begin(), candidates_.end(), order);
  double sum = 0;
  for (auto& c : candidates_) {
    c.probability = std::exp((static_cast<double>(c.logit) - top) / params_.temperature);
    sum += c.probability;
  }
  for (auto& c : candidates_) c.probability /= sum;
}

// Meister et al., "Locally typical sampling", 2023.
void Sampler::keep_typical() {
  double entropy = 0;
  for (const auto& c : candidates_) {
    if (c.probability > 0) entropy -= c.probability * std::log(c.probability);
  }
  const auto distance = [&](const Candidate& c) {
    return std::fabs(-std::log(std::max(c.probability, 1e-300)) - entropy);
  };
  std::stable_sort(candidates_.begin(), candidates_.end(),
                   [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
  double sum = 0;
  std::size_t keep = 0;
  while (keep < candidates_.size() && sum < params_.typical_p)
    sum += candidates_[keep++].probability;
  candidates_.resize(std::max<std::size_t>(keep, 1));
  std::sort(candidates_.begin(), candidates_.end(), [](const auto& a, const auto& b) {
    return better(a.logit, a.token, b.logit, b.token);
  });
}

std::int32_t Sampler::sample(std::span<const float> logits, const TokenCounts& counts,
                             double uniform) {
  const bool plain = params_.repetition_penalty == 1.0 && params_.presence_penalty == 0.0 &&
                     params_.frequency_penalty == 0.0 && params_.logit_bias.empty();
  if (plain && params_.temperature == 0.0) return argmax(logits);
  adjusted_.assign(logits.begin(), logits.end());
  if (!plain) adjust(counts);
  if (params_.temperature == 0.0) return argmax(adjusted_);
  collect();
  if (candidates_.empty()) return argmax(logits);
  if (params_.typical_p < 1.0) keep_typical();
  double kept = 0;
  if (params_.top_p < 1.0) {
    std::size_t keep = 0;
    while (keep < candidates_.size() && kept < params_.top_p)
      kept += candidates_[keep++].probability;
    candidates_.resize(std::max<std::size_t>(keep, 1));
  }
  if (params_.min_p > 0.0) {
    const double least = params_.min_p * candidates_[0].probability;
    std::erase_if(candidates_, [&](const auto& c) { return c.probability < least; });
  }
  kept = 0;
  for (const auto& c : candidates_) kept += c.probability;
  double left = uniform * kept;
  for (const auto& c : candidates_) {
    left -= c.probability;
    if (left < 0) return c.token;
  }
  return candidates_.back().token;
}

protocol::PositionLogprobs position_logprobs(std::span<const float> logits, std::int32_t chosen,
                                             std::int32_t top) {
  protocol::PositionLogprobs result;
  const double total = log_sum_exp(logits);
  const auto entry = [&](std::int32_t token) {
    protocol::TokenLogprob logprob;
    logprob.token = token;
    logprob.logprob = static_cast<float>(logits[static_cast<std::size_t>(token)] - total);
    return logprob;
  };
  result.chosen = entry(chosen);
  const auto count = std::min<std::size_t>(static_cast<std::size_t>(top), logits.size());
  std::vector<std::int32_t> ids(logits.size());
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i);
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), ids.end(),
                    [&](std::int32_t a, std::int32_t b) {
                      return better(logits[static_cast<std::size_t>(a)], a,
                                    logits[static_cast<std::size_t>(b)], b);
                    });
  for (std::size_t i = 0; i < count; ++i) result.top.push_back(entry(ids[i]));
  return result;
}

}  // namespace plinth::engine
