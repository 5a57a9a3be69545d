#include "apps/logit_scores.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace plinth {

namespace {

double log_of_sum(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  return top + std::log(sum);
}

}  // namespace

void LikelihoodSum::add(std::span<const float> logits, std::int32_t token) {
  const double loss = log_of_sum(logits) - logits[static_cast<std::size_t>(token)];
  ++count_;
  sum_ += loss;
  squares_ += loss * loss;
}

double LikelihoodSum::perplexity() const {
  return count_ == 0 ? 0 : std::exp(sum_ / static_cast<double>(count_));
}

double LikelihoodSum::perplexity_error() const {
  if (count_ < 2) return 0;
  const auto n = static_cast<double>(count_);
  const double variance = std::max(0.0, squares_ / n - sum_ / n * (sum_ / n)) / (n - 1);
  return perplexity() * std::sqrt(variance);
}

void DivergenceSum::add(std::span<const float> reference, std::span<const float> logits) {
  CHECK(reference.size() == logits.size() && !logits.empty());
  const double a = log_of_sum(reference), b = log_of_sum(logits);
  double divergence = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double p = static_cast<double>(reference[i]) - a, q = static_cast<double>(logits[i]) - b;
    divergence += std::exp(p) * (p - q);
  }
  ++count_;
  sum_ += divergence;
  const auto top = [](std::span<const float> row) {
    return std::max_element(row.begin(), row.end()) - row.begin();
  };
  if (top(reference) == top(logits)) ++same_;
}

double DivergenceSum::mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
double DivergenceSum::same_top() const {
  return count_ == 0 ? 0 : static_cast<double>(same_) / static_cast<double>(count_);
}

}  // namespace plinth
