// A fixed team of threads for data-parallel loops inside one step of the engine.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/functional/function_ref.h"

namespace plinth::base {

// run() is called by one thread at a time (the owner); the caller takes part as thread 0. Workers
// spin briefly between loops and then park, since the loops of one forward pass follow each other
// within microseconds. While they spin, a loop costs neither a lock nor a system call; it never
// allocates.
class ThreadPool {
 public:
  // threads >= 1 in all, the caller included: ThreadPool(1) starts none.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const;
  // Calls body(thread) once for each thread in [0, size()), and returns when all have returned.
  void run(absl::FunctionRef<void(int thread)> body);
  // Calls body(begin, end) over [0, count) in chunks of `grain`, handed out as threads come free.
  // The outcome must not depend on the split.
  void parallel_for(std::int64_t count, std::int64_t grain,
                    absl::FunctionRef<void(std::int64_t begin, std::int64_t end)> body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plinth::base
