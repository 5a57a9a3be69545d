#include "base/cpu_limit.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string>
#include <thread>

#include "base/cpu_affinity.h"
#include "base/file.h"

namespace plinth::base {

namespace {

int affinity_processors() {
  const auto allowed = allowed_processors();
  if (!allowed.empty()) return static_cast<int>(allowed.size());
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

std::string line_of(const std::string& path) {
  const auto text = read_file(path, 64);
  return text.ok() ? text->substr(0, text->find('\n')) : "";
}

void lower(int& limit, int processors) {
  if (processors > 0) limit = std::min(limit, processors);
}

}  // namespace

int cpu_max_processors(std::string_view line) {
  std::int64_t quota_us = 0, period_us = 0;
  const auto space = line.find(' ');
  if (space == std::string_view::npos) return 0;
  const auto number = [](std::string_view text, std::int64_t& value) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && value > 0;
  };
  // The quota is "max" where there is no limit, and -1 in version 1.
  if (!number(line.substr(0, space), quota_us)) return 0;
  if (!number(line.substr(space + 1), period_us)) return 0;
  const std::int64_t whole = quota_us / period_us + (quota_us % period_us != 0 ? 1 : 0);
  return static_cast<int>(std::min<std::int64_t>(whole, 1 << 20));
}

int cpu_limit() {
  int limit = affinity_processors();
  lower(limit, cpu_max_processors(line_of("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") + " " +
                                  line_of("/sys/fs/cgroup/cpu/cpu.cfs_period_us")));
  lower(limit, cpu_max_processors(line_of("/sys/fs/cgroup/cpu.max")));
  const auto groups = read_file("/proc/self/cgroup", 1u << 16);
  if (!groups.ok()) return std::max(1, limit);
  std::istringstream lines(*groups);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("0::")) continue;
    // Every group on the way to the root may set its own quota.
    for (std::string group = line.substr(3); group.size() > 1;
         group = group.substr(0, group.rfind('/'))) {
      lower(limit, cpu_max_processors(line_of("/sys/fs/cgroup" + group + "/cpu.max")));
    }
  }
  return std::max(1, limit);
}

}  // namespace plinth::base
