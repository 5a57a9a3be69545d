#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "base/units.h"

namespace plinth::base {

namespace {

// 20 to 90 us, by the length of the pause instruction: longer than the gap between two loops of a
// forward pass, short enough that an idle engine gives the core back to those who share it.
constexpr int kSpinsMax = 2000;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

// Where a part of a loop goes on. Threads of other parts must not wait for its cache line.
struct alignas(64) LoopPart {
  std::atomic<std::int64_t> next{0};
};

struct ThreadPool::State {
  int size = 1;
  std::vector<LoopPart> parts;  // [size]
  std::vector<std::thread> threads;
  std::atomic<std::uint64_t> epoch{0};
  std::atomic<int> remaining{0};
  std::atomic<bool> stopping{false};
  std::atomic<int> parked{0};
  const absl::FunctionRef<void(int)>* body = nullptr;  // published by epoch
  std::mutex mutex;
  std::condition_variable wake;
  Pin pin;
  bool owner_pinned = false;  // or needs no pin
  std::once_flag pin_failed;

  void pin_thread(int index) {
    const auto status = pin(index);
    if (status.ok()) return;
    std::call_once(pin_failed,
                   [&] { LOG(warn, "compute threads are not pinned: {}", message(status)); });
  }

  void work(int index) {
    if (pin != nullptr) pin_thread(index);
    std::uint64_t seen = 0;
    while (true) {
      for (int spins = 0; spins < kSpinsMax && epoch.load(std::memory_order_acquire) == seen;
           ++spins)
        relax();
      if (epoch.load(std::memory_order_acquire) == seen) park(seen);
      seen = epoch.load(std::memory_order_acquire);
      if (stopping.load(std::memory_order_acquire)) return;
      (*body)(index);
      remaining.fetch_sub(1, std::memory_order_acq_rel);
    }
  }

  // `parked` and `epoch` are sequentially consistent: either publish() sees the worker parked, or
  // the worker sees the new epoch before it waits.
  void park(std::uint64_t seen) {
    std::unique_lock lock(mutex);
    parked.fetch_add(1);
    wake.wait(lock, [&] { return epoch.load() != seen; });
    parked.fetch_sub(1);
  }

  void publish() {
    epoch.fetch_add(1);
    if (parked.load() == 0) return;
    { std::lock_guard lock(mutex); }  // one that has checked `epoch` is now waiting
    wake.notify_all();
  }
};

ThreadPool::ThreadPool(int threads, Pin pin) : state_(std::make_unique<State>()) {
  CHECK(threads >= 1);
  state_->size = threads;
  state_->parts = std::vector<LoopPart>(static_cast<std::size_t>(threads));
  state_->pin = std::move(pin);
  state_->owner_pinned = state_->pin == nullptr;
  for (int i = 1; i < threads; ++i) {
    state_->threads.emplace_back([this, i] { state_->work(i); });
  }
}

ThreadPool::~ThreadPool() {
  state_->stopping.store(true, std::memory_order_release);
  state_->publish();
  for (auto& thread : state_->threads) thread.join();
}

int ThreadPool::size() const { return state_->size; }

void ThreadPool::run(absl::FunctionRef<void(int)> body) {
  if (!state_->owner_pinned) {
    state_->owner_pinned = true;
    state_->pin_thread(0);
  }
  if (state_->size == 1) {
    body(0);
    return;
  }
  state_->body = &body;
  state_->remaining.store(state_->size - 1, std::memory_order_release);
  state_->publish();
  body(0);
  int spins = 0;
  while (state_->remaining.load(std::memory_order_acquire) != 0) {
    relax();
    if (++spins > kSpinsMax) std::this_thread::yield();
  }
}

void ThreadPool::parallel_for(std::int64_t count, std::int64_t grain,
                              absl::FunctionRef<void(std::int64_t, std::int64_t)> body) {
  parallel_for_threads(count, grain,
                       [&](std::int64_t begin, std::int64_t end, int) { body(begin, end); });
}

void ThreadPool::parallel_for_threads(
    std::int64_t count, std::int64_t grain,
    absl::FunctionRef<void(std::int64_t, std::int64_t, int)> body) {
  if (count <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  if (state_->size == 1 || count <= grain) {
    body(0, count, 0);
    return;
  }
  const auto threads = static_cast<std::int64_t>(state_->size);
  const auto part_begin = [&](std::int64_t part) {
    return std::min(count, ceil_div(count * part / threads, grain) * grain);
  };
  for (std::int64_t part = 0; part < threads; ++part) {
    state_->parts[static_cast<std::size_t>(part)].next.store(part_begin(part),
                                                             std::memory_order_relaxed);
  }
  run([&](int thread) {
    for (std::int64_t turn = 0; turn < threads; ++turn) {
      const auto part = (thread + turn) % threads;
      auto& next = state_->parts[static_cast<std::size_t>(part)].next;
      const auto end = part_begin(part + 1);
      while (true) {
        const std::int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
        if (begin >= end) break;
        body(begin, std::min(begin + grain, end), thread);
      }
    }
  });
}

}  // namespace plinth::base
