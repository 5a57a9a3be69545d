#include "governance/quota/utilisation.h"

#include <algorithm>
#include <chrono>

namespace plinth::governance {

namespace {

constexpr std::int64_t kMinuteUs = 60'000'000;
// The brim: what drains in ten seconds. Less would refuse single long prompts of small deployments;
// more would let a burst wait longer than anybody wants to.
constexpr std::int64_t kBrimUs = 10'000'000;

}  // namespace

Utilisation::Utilisation(std::int64_t tokens_per_minute, base::TimePoint now)
    : rate_(tokens_per_minute), drained_(now) {}

std::int64_t Utilisation::brim() const { return rate_ * kBrimUs; }

void Utilisation::drain(base::TimePoint now) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now - drained_).count();
  if (us <= 0) return;
  drained_ += std::chrono::microseconds(us);
  // No product that could pass 64 bits, however long nothing came.
  level_ = us > level_ / rate_ ? 0 : level_ - rate_ * us;
}

std::optional<base::Duration> Utilisation::wait(base::TimePoint now) {
  drain(now);
  if (level_ <= brim()) return std::nullopt;
  const auto over = level_ - brim();
  return std::chrono::microseconds((over + rate_ - 1) / rate_);
}

void Utilisation::add(std::int64_t tokens, base::TimePoint now) {
  drain(now);
  level_ = std::max<std::int64_t>(level_ + tokens * kMinuteUs, 0);
}

void Utilisation::set_rate(std::int64_t tokens_per_minute, base::TimePoint now) {
  drain(now);
  rate_ = tokens_per_minute;
}

std::int64_t Utilisation::percent(base::TimePoint now) {
  drain(now);
  return level_ / (brim() / 100);
}

}  // namespace plinth::governance
