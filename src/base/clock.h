// Time as a parameter. Production passes a RealClock; tests pass a FakeClock and move it.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace plinth::base {

// Monotonic: for durations, deadlines and leases.
using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  // Milliseconds since 1970-01-01 UTC: for stored rows.
  virtual std::int64_t unix_millis() const = 0;
  // The same in seconds: for `created` fields.
  std::int64_t unix_seconds() const { return unix_millis() / 1000; }
};

// Thread-safe.
class RealClock final : public Clock {
 public:
  TimePoint now() const override;
  std::int64_t unix_millis() const override;
};

// Stands still until advance(). Thread-safe.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(std::int64_t unix_seconds = 1'700'000'000) : unix_start_(unix_seconds) {}
  TimePoint now() const override;
  std::int64_t unix_millis() const override;
  void advance(Duration by);

 private:
  const std::int64_t unix_start_;
  mutable std::mutex mutex_;
  Duration elapsed_{0};  // protected by mutex_
};

}  // namespace plinth::base
