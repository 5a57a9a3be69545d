#include "train/preference.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace plinth::train {

namespace {

// An answer as likely as this has odds without end.
constexpr double kMeanLogProbMax = -1e-7;

double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : 1 - 1 / (1 + std::exp(x)); }
// -log sigmoid(x).
double loss_of(double x) { return std::max(-x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

PairLoss orpo(double beta, const AnswerScore& preferred, const AnswerScore& other) {
  const auto tokens = static_cast<double>(preferred.tokens);
  const auto other_tokens = static_cast<double>(other.tokens);
  const double a = std::min(preferred.log_prob / tokens, kMeanLogProbMax);
  const double b = std::min(other.log_prob / other_tokens, kMeanLogProbMax);
  // Of probabilities e^a and e^b: log odds are a - log(1 - e^a), their slope is 1 / (1 - e^a).
  const double odds = a - std::log(-std::expm1(a)) - (b - std::log(-std::expm1(b)));
  const double slope = -beta * sigmoid(-odds);
  PairLoss pair;
  pair.loss = -a + beta * loss_of(odds);
  pair.preferred_slope = (-1 - slope / std::expm1(a)) / tokens;
  pair.other_slope = slope / std::expm1(b) / other_tokens;
  pair.margin = beta * (a - b);
  return pair;
}

}  // namespace

std::string_view method_name(Method method) {
  constexpr std::string_view kNames[] = {"sft", "dpo", "ipo", "orpo"};
  return kNames[static_cast<std::size_t>(method)];
}

std::optional<Method> method_named(std::string_view name) {
  for (const auto method : {Method::sft, Method::dpo, Method::ipo, Method::orpo}) {
    if (method_name(method) == name) return method;
  }
  return std::nullopt;
}

PairLoss pair_loss(Method method, const PreferenceOptions& options, const AnswerScore& preferred,
                   const AnswerScore& other) {
  CHECK(prefers(method));
  const double beta = options.beta, smoothing = options.label_smoothing;
  if (method == Method::orpo) return orpo(beta, preferred, other);
  const double ratio =
      (preferred.log_prob - preferred.reference) - (other.log_prob - other.reference);
  PairLoss pair;
  pair.margin = beta * ratio;
  if (method == Method::ipo) {
    const double off = ratio - 1 / (2 * beta);
    pair.loss = off * off;
    pair.preferred_slope = 2 * off;
  } else {
    pair.loss = (1 - smoothing) * loss_of(pair.margin) + smoothing * loss_of(-pair.margin);
    pair.preferred_slope =
        beta * (smoothing * sigmoid(pair.margin) - (1 - smoothing) * sigmoid(-pair.margin));
  }
  pair.other_slope = -pair.preferred_slope;
  return pair;
}

}  // namespace plinth::train
