// Threads for what may wait: an identity provider's answer, the hash of a password. Those of
// connections never do.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/status.h"

namespace plinth::api {

// Thread-safe.
class WorkQueue {
 public:
  WorkQueue();
  // Waits for work that has begun; drops the rest.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // Unavailable where kSlowWorkMax wait already: then `work` never runs.
  absl::Status add(std::function<void()> work);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable added_;
  std::deque<std::function<void()>> waiting_;  // protected by mutex_, as is the following
  bool stopping_ = false;
  std::vector<std::thread> threads_;  // last: they use the fields above
};

}  // namespace plinth::api
