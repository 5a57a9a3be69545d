#include "api/work_queue.h"

#include <utility>

#include "api/limits.h"

namespace plinth::api {

WorkQueue::WorkQueue() {
  for (int i = 0; i < kSlowThreads; ++i) threads_.emplace_back([this] { run(); });
}

WorkQueue::~WorkQueue() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  added_.notify_all();
  for (auto& thread : threads_) thread.join();
}

absl::Status WorkQueue::add(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    if (waiting_.size() >= kSlowWorkMax)
      return base::unavailable("Too many people are signing in at once; retry later.");
    waiting_.push_back(std::move(work));
  }
  added_.notify_one();
  return absl::OkStatus();
}

void WorkQueue::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    added_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    const auto work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

}  // namespace plinth::api
