// The clock of the database that gateways share, as one of them knows it: periods of budgets and
// times of the ledger's rows are the same for all, and a step of one machine's clock moves none.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace plinth::governance {

// Thread-safe. Goes on by this machine's monotonic clock from what the database last said; before
// that it is this machine's.
class DatabaseClock final : public base::Clock {
 public:
  // The machine's clock outlives it.
  explicit DatabaseClock(const base::Clock& machine) : machine_(machine) {
    set(machine.unix_millis(), machine.now());
  }
  base::TimePoint now() const override { return machine_.now(); }
  std::int64_t unix_millis() const override { return offset_ms_ + millis(now()); }
  // The database said so at that time.
  void set(std::int64_t unix_ms, base::TimePoint at) { offset_ms_ = unix_ms - millis(at); }

 private:
  static std::int64_t millis(base::TimePoint at) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
  }
  const base::Clock& machine_;
  std::atomic<std::int64_t> offset_ms_{0};
};

}  // namespace plinth::governance
