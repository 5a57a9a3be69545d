#include "base/cpu_affinity.h"

#include <fmt/format.h>
#include <sched.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/status.h"

namespace plinth::base {

std::vector<int> allowed_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> processors;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return processors;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) processors.push_back(i);
  }
  return processors;
}

absl::Status pin_this_thread(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (processor >= 0 && processor < CPU_SETSIZE) CPU_SET(processor, &set);
  if (::sched_setaffinity(0, sizeof set, &set) == 0) return absl::OkStatus();
  return unavailable(fmt::format("processor {}: {}", processor, std::strerror(errno)));
}

ThreadPool::Pin pin_in_turn(std::vector<int> processors) {
  return [processors = std::move(processors)](int thread) {
    if (processors.empty())
      return unavailable("the kernel does not name this process's processors");
    return pin_this_thread(processors[static_cast<std::size_t>(thread) % processors.size()]);
  };
}

}  // namespace plinth::base
