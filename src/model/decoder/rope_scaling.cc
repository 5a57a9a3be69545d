#include "model/decoder/rope_scaling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/limits.h"

namespace plinth::model {

namespace {

constexpr double kTurn = 2 * std::numbers::pi;

absl::Status needs(bool holds, const RopeScaling& scaling, const char* what, double value) {
  if (holds) return absl::OkStatus();
  return base::invalid_argument(
      fmt::format("rope scaling {}: {} is {}", scaling.kind, what, value));
}

absl::Status check_factor(const RopeScaling& scaling) {
  return needs(scaling.factor >= 1 && scaling.factor <= kRopeFactorMax, scaling, "factor",
               scaling.factor);
}

absl::Status check_original(const RopeScaling& scaling) {
  return needs(scaling.original_context >= 1 && scaling.original_context <= kContextMax, scaling,
               "the original context", scaling.original_context);
}

absl::Status scale_llama3(const RopeScaling& scaling, RopeSpec& rope) {
  RETURN_IF_ERROR(check_factor(scaling));
  RETURN_IF_ERROR(check_original(scaling));
  RETURN_IF_ERROR(needs(scaling.low_frequency > 0 && scaling.low_frequency < kRopeFactorMax,
                        scaling, "low_freq_factor", scaling.low_frequency));
  RETURN_IF_ERROR(needs(
      scaling.high_frequency > scaling.low_frequency && scaling.high_frequency < kRopeFactorMax,
      scaling, "high_freq_factor", scaling.high_frequency));
  for (double& frequency : rope.frequencies) {
    const double turns = scaling.original_context * frequency / kTurn;
    const double kept = std::clamp(
        (turns - scaling.low_frequency) / (scaling.high_frequency - scaling.low_frequency), 0.0,
        1.0);
    frequency = (1 - kept) * frequency / scaling.factor + kept * frequency;
  }
  return absl::OkStatus();
}

double yarn_mscale(double factor, double weight) {
  return factor <= 1 ? 1.0 : 0.1 * weight * std::log(factor) + 1.0;
}

absl::Status scale_yarn(double theta, const RopeScaling& scaling, RopeSpec& rope) {
  RETURN_IF_ERROR(check_factor(scaling));
  RETURN_IF_ERROR(check_original(scaling));
  RETURN_IF_ERROR(needs(scaling.beta_slow > 0 && scaling.beta_slow < kRopeFactorMax, scaling,
                        "beta_slow", scaling.beta_slow));
  RETURN_IF_ERROR(
      needs(scaling.beta_fast >= scaling.beta_slow && scaling.beta_fast < kRopeFactorMax, scaling,
            "beta_fast", scaling.beta_fast));
  // The pair that turns `turns` times over the original context.
  const auto pair_of = [&](double turns) {
    return rope.dimensions * std::log(scaling.original_context / (turns * kTurn)) /
           (2 * std::log(theta));
  };
  double low = pair_of(scaling.beta_fast), high = pair_of(scaling.beta_slow);
  if (scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, rope.dimensions - 1.0);
  if (low == high) high += 0.001;  // as published: no division by zero
  for (std::size_t i = 0; i < rope.frequencies.size(); ++i) {
    const double stretched = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    rope.frequencies[i] *= stretched / scaling.factor + (1 - stretched);
  }
  double factor = scaling.attention_factor;
  if (factor == 0 && scaling.mscale > 0 && scaling.mscale_all_dim > 0) {
    factor = yarn_mscale(scaling.factor, scaling.mscale) /
             yarn_mscale(scaling.factor, scaling.mscale_all_dim);
  }
  rope.attention_factor = static_cast<float>(factor > 0 ? factor : yarn_mscale(scaling.factor, 1));
  return absl::OkStatus();
}

absl::Status divide(std::vector<double>& frequencies, const std::vector<double>& divisors,
                    std::string_view what) {
  if (divisors.size() != frequencies.size()) {
    return base::invalid_argument(
        fmt::format("{} has {} numbers for {} pairs", what, divisors.size(), frequencies.size()));
  }
  for (std::size_t i = 0; i < divisors.size(); ++i) {
    if (!(divisors[i] > 0) || !std::isfinite(divisors[i])) {
      return base::invalid_argument(fmt::format("{}[{}] is {}", what, i, divisors[i]));
    }
    frequencies[i] /= divisors[i];
  }
  return absl::OkStatus();
}

absl::Status scale_longrope(const RopeScaling& scaling, std::int32_t context, RopeSpec& rope) {
  RETURN_IF_ERROR(check_original(scaling));
  rope.original_context = scaling.original_context;
  rope.long_frequencies = rope.frequencies;
  RETURN_IF_ERROR(divide(rope.frequencies, scaling.short_factors, "rope scaling short_factor"));
  RETURN_IF_ERROR(divide(rope.long_frequencies, scaling.long_factors, "rope scaling long_factor"));
  const double ratio =
      scaling.factor > 1 ? scaling.factor : static_cast<double>(context) / scaling.original_context;
  double factor = scaling.attention_factor;
  if (factor == 0 && ratio > 1 && scaling.original_context > 1) {
    factor = std::sqrt(1 + std::log(ratio) / std::log(scaling.original_context));
  }
  rope.attention_factor = static_cast<float>(factor > 0 ? factor : 1);
  return absl::OkStatus();
}

}  // namespace

absl::Status set_rope_frequencies(double theta, const RopeScaling& scaling,
                                  const std::vector<double>& divisors, std::int32_t context,
                                  RopeSpec& rope) {
  if (!(theta > 1) || !std::isfinite(theta)) {
    return base::invalid_argument(fmt::format("the rope base is {}", theta));
  }
  const double attention = scaling.attention_factor;
  RETURN_IF_ERROR(
      needs(attention >= 0 && attention <= kRopeFactorMax, scaling, "attention factor", attention));
  rope.theta = theta;
  rope.scaling = scaling;
  rope.frequencies.clear();
  for (int i = 0; i < rope.dimensions / 2; ++i) {
    rope.frequencies.push_back(std::pow(theta, -2.0 * i / rope.dimensions));
  }
  if (!divisors.empty()) RETURN_IF_ERROR(divide(rope.frequencies, divisors, "rope_freqs"));
  if (scaling.kind == "default" || scaling.kind == "none") return absl::OkStatus();
  if (scaling.kind == "linear") {
    RETURN_IF_ERROR(check_factor(scaling));
    for (double& frequency : rope.frequencies) frequency /= scaling.factor;
    return absl::OkStatus();
  }
  if (scaling.kind == "llama3") return scale_llama3(scaling, rope);
  if (scaling.kind == "yarn") return scale_yarn(theta, scaling, rope);
  if (scaling.kind == "longrope" || scaling.kind == "su") {
    return scale_longrope(scaling, context, rope);
  }
  return base::unimplemented(fmt::format(
      "rope scaling {} is not supported (linear, llama3, yarn, longrope are)", scaling.kind));
}

}  // namespace plinth::model
