#include "governance/rate_bucket.h"

#include <algorithm>

#include "base/check.h"
#include "governance/limits.h"

namespace plinth::governance {

using std::chrono::duration_cast;
using std::chrono::microseconds;

RateBucket::RateBucket(std::int64_t limit, base::Duration period, base::TimePoint now)
    : period_us_(duration_cast<microseconds>(period).count()),
      limit_(limit),
      level_(limit * period_us_),
      filled_(now) {
  CHECK(limit >= 0 && limit <= kLimitMax);
}

void RateBucket::refill(base::TimePoint now) {
  if (now <= filled_) return;
  const auto passed = duration_cast<microseconds>(now - filled_).count();
  // The rest of a microsecond counts next time.
  filled_ += microseconds(passed);
  const std::int64_t full = limit_ * period_us_;
  level_ = passed >= period_us_ ? full : std::min(full, level_ + passed * limit_);
}

std::int64_t RateBucket::level(base::TimePoint now) {
  refill(now);
  return level_ / period_us_;
}

bool RateBucket::fits(std::int64_t amount, base::TimePoint now) { return amount <= level(now); }

void RateBucket::take(std::int64_t amount, base::TimePoint now) {
  CHECK(fits(amount, now));
  level_ -= amount * period_us_;
}

void RateBucket::put_back(std::int64_t amount, base::TimePoint now) {
  refill(now);
  level_ = std::min(limit_ * period_us_, level_ + std::min(amount, limit_) * period_us_);
}

base::Duration RateBucket::until(std::int64_t amount, base::TimePoint now) {
  if (amount > limit_) return base::Duration::max();
  refill(now);
  const std::int64_t missing = amount * period_us_ - level_;
  if (missing <= 0) return {};
  return microseconds((missing + limit_ - 1) / limit_);
}

void RateBucket::set_limit(std::int64_t limit, base::TimePoint now) {
  CHECK(limit >= 0 && limit <= kLimitMax);
  refill(now);
  limit_ = limit;
  level_ = std::min(level_, limit_ * period_us_);
}

}  // namespace plinth::governance
