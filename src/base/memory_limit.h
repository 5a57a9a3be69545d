// How much memory this process and its children may use.
#pragma once

#include <cstdint>

namespace plinth::base {

// The least of the machine's memory and of every cgroup limit (v1 and v2) above this process.
std::uint64_t memory_limit_bytes();

}  // namespace plinth::base
