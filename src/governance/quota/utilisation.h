// How much of its provisioned throughput a deployment uses: a leaky bucket. Work runs in when it is
// admitted and drains at the rate that was bought; over the brim nothing more is admitted. A short
// burst may pass the brim, as Azure's does: what came in is done, what comes next waits.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace plinth::governance {

// Not thread-safe. Time that steps back counts as none.
class Utilisation {
 public:
  // Input-equivalent tokens a minute. Starts empty.
  Utilisation(std::int64_t tokens_per_minute, base::TimePoint now);

  // Nothing where more may come, otherwise how long to wait.
  std::optional<base::Duration> wait(base::TimePoint now);
  // Tokens that come in, or, below 0, that were reckoned and not used.
  void add(std::int64_t tokens, base::TimePoint now);
  void set_rate(std::int64_t tokens_per_minute, base::TimePoint now);
  // Whole percent; over 100 after a burst.
  std::int64_t percent(base::TimePoint now);

 private:
  void drain(base::TimePoint now);
  std::int64_t brim() const;

  std::int64_t rate_;       // tokens a minute
  std::int64_t level_ = 0;  // tokens times the microseconds of a minute
  base::TimePoint drained_;
};

}  // namespace plinth::governance
