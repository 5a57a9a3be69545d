#include "base/clock.h"

namespace plinth::base {

TimePoint RealClock::now() const { return std::chrono::steady_clock::now(); }

std::int64_t RealClock::unix_millis() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

TimePoint FakeClock::now() const {
  std::lock_guard lock(mutex_);
  return TimePoint(std::chrono::duration_cast<TimePoint::duration>(elapsed_));
}

std::int64_t FakeClock::unix_millis() const {
  std::lock_guard lock(mutex_);
  return unix_start_ * 1000 +
         std::chrono::duration_cast<std::chrono::milliseconds>(elapsed_).count();
}

void FakeClock::advance(Duration by) {
  std::lock_guard lock(mutex_);
  elapsed_ += by;
}

}  // namespace plinth::base
