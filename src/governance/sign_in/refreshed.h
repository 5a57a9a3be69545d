// A value that comes from another machine: loaded when first needed, again when it grows old or
// does not suffice, at most once per kProviderRefetchMin, and kept through an outage.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "governance/sign_in_limits.h"

namespace plinth::governance {

// Thread-safe. One thread loads at a time: who needs what it will bring waits for it, all others go
// on with the value from before. `load` bounds its own time.
template <typename T>
class Refreshed {
 public:
  using Load = std::function<absl::StatusOr<T>()>;
  struct Kept {
    std::shared_ptr<const T> value;  // null: none; shared, as the next load replaces it
    absl::Status latest;             // of the latest load
  };

  Refreshed(Load load, const base::Clock& clock) : load_(std::move(load)), clock_(clock) {}

  // What is here, of whatever age that still counts; null where nothing is. Never waits for a load.
  std::shared_ptr<const T> kept() {
    std::lock_guard lock(mutex_);
    if (value_ && clock_.now() >= loaded_ + kProviderOutageMax) return nullptr;
    return value_;
  }

  // `suffices` is called under the lock. What is returned may still not suffice.
  Kept get(const std::function<bool(const T&)>& suffices) {
    std::unique_lock lock(mutex_);
    for (;;) {
      const auto now = clock_.now();
      if (value_ && now >= loaded_ + kProviderOutageMax) value_.reset();
      const bool usable = value_ && suffices(*value_);
      if (usable && (loading_ || now < loaded_ + kProviderRefresh)) return {value_, latest_};
      if (!loading_) {
        if (tried_.has_value() && now < *tried_ + kProviderRefetchMin) return {value_, latest_};
        load(lock, now);
        return {value_, latest_};
      }
      done_.wait(lock, [&] { return !loading_; });
    }
  }

 private:
  void load(std::unique_lock<std::mutex>& lock, base::TimePoint now) {
    loading_ = true;
    tried_ = now;
    lock.unlock();
    auto loaded = load_();
    lock.lock();
    loading_ = false;
    latest_ = loaded.status();
    if (loaded.ok()) {
      value_ = std::make_shared<const T>(*std::move(loaded));
      loaded_ = now;
    }
    done_.notify_all();
  }

  const Load load_;
  const base::Clock& clock_;

  std::mutex mutex_;
  std::condition_variable done_;
  // Protected by mutex_.
  std::shared_ptr<const T> value_;
  base::TimePoint loaded_;
  std::optional<base::TimePoint> tried_;
  absl::Status latest_;
  bool loading_ = false;
};

}  // namespace plinth::governance
