// A rate: so many units a period, refilled continuously, one period's worth at most. Of any window
// of w seconds it lets through at most limit * (1 + w / period). Exact: a level is a whole number
// of units times microseconds of the period, never a fraction.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace plinth::governance {

// Not thread-safe. Time that steps back counts as none.
class RateBucket {
 public:
  // Starts full. limit: 0 to kLimitMax units a period of a day at most.
  RateBucket(std::int64_t limit, base::Duration period, base::TimePoint now);

  std::int64_t limit() const { return limit_; }
  // Whole units that are there.
  std::int64_t level(base::TimePoint now);
  bool fits(std::int64_t amount, base::TimePoint now);
  // The amount fits.
  void take(std::int64_t amount, base::TimePoint now);
  // What was taken and not used; more than the limit is lost.
  void put_back(std::int64_t amount, base::TimePoint now);
  // Until so many units are there: Duration::max() where they are more than the limit.
  base::Duration until(std::int64_t amount, base::TimePoint now);
  // A new limit keeps what is there, up to itself.
  void set_limit(std::int64_t limit, base::TimePoint now);

 private:
  void refill(base::TimePoint now);

  const std::int64_t period_us_;
  std::int64_t limit_;
  std::int64_t level_;      // units times period_us_
  base::TimePoint filled_;  // when level_ was right
};

}  // namespace plinth::governance
