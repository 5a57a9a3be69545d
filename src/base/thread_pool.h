// A fixed team of threads for data-parallel loops inside one step of the engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace plinth::base {

// run() is called by one thread at a time (the owner); the caller takes part as thread 0. Workers
// spin briefly between loops and then park, since the loops of one forward pass follow each other
// within microseconds. While they spin, a loop costs neither a lock nor a system call; it never
// allocates.
class ThreadPool {
 public:
  // Keeps the calling thread, which is number `thread`, on a processor (base/cpu_affinity.h).
  using Pin = std::function<absl::Status(int thread)>;

  // threads >= 1 in all, the caller included: ThreadPool(1) starts none. With `pin` each thread
  // calls it before its first work, the caller in its first run(); threads that the caller starts
  // after that inherit its processor. Where pinning fails the threads run wherever the kernel puts
  // them, and the log says so once.
  explicit ThreadPool(int threads, Pin pin = nullptr);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const;
  // Calls body(thread) once for each thread in [0, size()), and returns when all have returned.
  void run(absl::FunctionRef<void(int thread)> body);
  // Calls body(begin, end) over [0, count) in chunks of `grain`. Each thread begins with its own
  // part of the range, so that loops over the same rows find them in the same thread's cache, and
  // helps the others when that is done. The outcome must not depend on the split.
  void parallel_for(std::int64_t count, std::int64_t grain,
                    absl::FunctionRef<void(std::int64_t begin, std::int64_t end)> body);
  // The same for a body that has something of its own for each thread.
  void parallel_for_threads(
      std::int64_t count, std::int64_t grain,
      absl::FunctionRef<void(std::int64_t begin, std::int64_t end, int thread)> body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plinth::base
