// Which processors this process may run on, and keeping a thread on one of them.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "base/thread_pool.h"

namespace plinth::base {

// Of the affinity mask, ascending. Empty where the machine has more processors than the mask holds.
std::vector<int> allowed_processors();

// Unavailable, with the kernel's reason, where it does not let the calling thread be pinned.
absl::Status pin_this_thread(int processor);

// Thread i on the i-th of `processors`, in turn. None: they are Unavailable.
ThreadPool::Pin pin_in_turn(std::vector<int> processors);

}  // namespace plinth::base
