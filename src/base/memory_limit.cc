#include "base/memory_limit.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string>

#include "base/file.h"

namespace plinth::base {

namespace {

std::uint64_t read_limit(const std::string& path) {
  const auto text = read_file(path, 64);
  std::uint64_t value = UINT64_MAX;
  // cgroup v2 writes "max" where there is no limit: that parses as nothing.
  if (text.ok()) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

}  // namespace

std::uint64_t memory_limit_bytes() {
  auto limit = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
               static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  limit = std::min(limit, read_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
  const auto groups = read_file("/proc/self/cgroup", 1u << 16);
  if (!groups.ok()) return limit;
  std::istringstream lines(*groups);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("0::")) continue;
    // Every group on the way to the root may set its own limit.
    for (std::string group = line.substr(3); !group.empty();
         group = group.substr(0, group.rfind('/'))) {
      limit = std::min(limit, read_limit("/sys/fs/cgroup" + group + "/memory.max"));
      if (group == "/") break;
    }
  }
  return limit;
}

}  // namespace plinth::base
