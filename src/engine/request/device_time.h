// Whose the engine's time was: from the moment a request is in it until none is, every nanosecond
// belongs to a step, and every step's to the sequences that it computed for. So the requests' time
// and the idle time together are the engine's age.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "base/clock.h"

namespace plinth::engine {

class DeviceTime {
 public:
  explicit DeviceTime(base::TimePoint now) : mark_(now) {}

  // A step begins. Where nothing was left by the one before, the time until now was idle.
  void begin_step(base::TimePoint now) {
    if (working_) return;
    idle_ += now - mark_;
    mark_ = now;
    working_ = true;
  }
  // The step has computed: the time that is its own, with what lay between it and the one before.
  base::Duration take_busy(base::TimePoint now) {
    const base::Duration time = now - mark_;
    mark_ = now;
    busy_ += time;
    return time;
  }
  // The step has ended and leaves requests behind, or none.
  void end_step(bool requests_left) { working_ = requests_left; }

  base::Duration busy() const { return busy_; }
  // Until now; never less than it said before.
  base::Duration idle(base::TimePoint now) const {
    return working_ ? idle_ : idle_ + (now - mark_);
  }

 private:
  base::TimePoint mark_;  // until when all time is accounted for
  base::Duration busy_{0}, idle_{0};
  bool working_ = false;
};

// What a usage says: not less than nothing, whatever the clock did.
inline std::int64_t whole_microseconds(base::Duration time) {
  return std::max<std::int64_t>(time.count() / 1000, 0);
}

// A step's time in parts by weight, to the last nanosecond.
class TimeShares {
 public:
  // weight: the sum of what take() will be given.
  TimeShares(base::Duration time, std::int64_t weight) : left_(time), weight_(weight) {}

  base::Duration take(std::int64_t weight) {
    CHECK(weight > 0 && weight <= weight_);
    const auto part = weight == weight_
                          ? left_
                          : base::Duration(static_cast<std::int64_t>(
                                static_cast<double>(left_.count()) * static_cast<double>(weight) /
                                static_cast<double>(weight_)));
    left_ -= part;
    weight_ -= weight;
    return part;
  }

 private:
  base::Duration left_;
  std::int64_t weight_;
};

}  // namespace plinth::engine
