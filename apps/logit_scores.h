// How well rows of logits predict the tokens that came, and how far they are from other rows.
#pragma once

#include <cstdint>
#include <span>

namespace plinth {

// Negative log-likelihoods in nats. Perplexity is exp(mean).
class LikelihoodSum {
 public:
  // logits: [vocab].
  void add(std::span<const float> logits, std::int32_t token);
  std::int64_t count() const { return count_; }
  double perplexity() const;
  // Standard error of the perplexity, by the delta method; 0 for fewer than two tokens.
  double perplexity_error() const;

 private:
  std::int64_t count_ = 0;
  double sum_ = 0, squares_ = 0;
};

// Kullback-Leibler divergence of each row from its reference, in nats, and how often both find the
// same token likeliest.
class DivergenceSum {
 public:
  // Both [vocab].
  void add(std::span<const float> reference, std::span<const float> logits);
  double mean() const;
  double same_top() const;  // share of the rows

 private:
  std::int64_t count_ = 0, same_ = 0;
  double sum_ = 0;
};

}  // namespace plinth
