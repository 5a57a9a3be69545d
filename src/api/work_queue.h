// Threads for what may wait: an identity provider's answer, the hash of a password. Those of
// connections never do.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "api/limits.h"
#include "base/status.h"

namespace plinth::api {

struct WorkQueueOptions {
  int threads = kSlowThreads;
  std::size_t waiting_max = kSlowWorkMax;
  std::string_view full = "Too many people are signing in at once; retry later.";
};

// Thread-safe.
class WorkQueue {
 public:
  explicit WorkQueue(const WorkQueueOptions& options = {});
  // Waits for work that has begun; drops the rest.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // What may be for nothing, as anybody can ask for it, or takes long, waits apart: it has its own
  // bound and never more than kDoubtfulThreads, so that it keeps nothing else waiting.
  enum class Lane : std::uint8_t { usual, doubtful };
  // Unavailable where waiting_max (of doubtful work kDoubtfulWorkMax) wait already: then `work`
  // never runs.
  absl::Status add(std::function<void()> work, Lane lane = Lane::usual);

 private:
  void run();
  bool may_take_doubtful() const;

  const WorkQueueOptions options_;
  std::mutex mutex_;
  std::condition_variable added_;
  // Protected by mutex_, as are the following.
  std::deque<std::function<void()>> waiting_, doubtful_;
  int doubtful_running_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;  // last: they use the fields above
};

}  // namespace plinth::api
