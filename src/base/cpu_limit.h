// How many processors this process and its children may use.
#pragma once

#include <string_view>

namespace plinth::base {

// The least of the affinity mask and of every cgroup quota (v1 and v2) above this process, rounded
// up; 1 at least.
int cpu_limit();

// Processors that a line of cgroup v2's cpu.max grants: "150000 100000" -> 2. 0 = no limit.
int cpu_max_processors(std::string_view line);

}  // namespace plinth::base
