// How many exchanges there are: what they work with waits for the last.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace plinth::api {

// Thread-safe.
class OpenExchanges {
 public:
  void begin() {
    std::lock_guard lock(mutex_);
    ++count_;
  }
  void end() {
    // Notified under the lock: whoever waits may destroy this at once.
    std::lock_guard lock(mutex_);
    if (--count_ == 0) none_.notify_all();
  }
  // False where some are still there after `most`.
  bool wait_for_none(std::chrono::milliseconds most) {
    std::unique_lock lock(mutex_);
    return none_.wait_for(lock, most, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  std::int64_t count_ = 0;  // protected by mutex_
};

}  // namespace plinth::api
