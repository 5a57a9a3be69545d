#include "api/work_queue.h"

#include <utility>

namespace plinth::api {

WorkQueue::WorkQueue(const WorkQueueOptions& options) : options_(options) {
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { run(); });
}

WorkQueue::~WorkQueue() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  added_.notify_all();
  for (auto& thread : threads_) thread.join();
}

absl::Status WorkQueue::add(std::function<void()> work, Lane lane) {
  {
    std::lock_guard lock(mutex_);
    const bool usual = lane == Lane::usual;
    auto& queue = usual ? waiting_ : doubtful_;
    if (queue.size() >= (usual ? options_.waiting_max : kDoubtfulWorkMax))
      return base::unavailable(options_.full);
    queue.push_back(std::move(work));
  }
  added_.notify_one();
  return absl::OkStatus();
}

bool WorkQueue::may_take_doubtful() const {
  return !doubtful_.empty() && doubtful_running_ < kDoubtfulThreads;
}

void WorkQueue::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    added_.wait(lock, [&] { return stopping_ || !waiting_.empty() || may_take_doubtful(); });
    if (stopping_) return;
    // First, in the few threads that it may have: the others are there for all else.
    const bool is_doubtful = may_take_doubtful();
    auto& queue = is_doubtful ? doubtful_ : waiting_;
    const auto work = std::move(queue.front());
    queue.pop_front();
    if (is_doubtful) ++doubtful_running_;
    lock.unlock();
    work();
    lock.lock();
    if (is_doubtful) --doubtful_running_;
  }
}

}  // namespace plinth::api
