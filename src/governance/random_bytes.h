// Unpredictable bytes as a parameter: production passes system_random_bytes, tests what they like.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "base/status.h"

namespace plinth::governance {

// `count` raw bytes. An error, never fewer bytes, where the source fails.
using RandomBytes = std::function<absl::StatusOr<std::string>(std::size_t count)>;

// OpenSSL's generator, seeded by the kernel. Thread-safe.
absl::StatusOr<std::string> system_random_bytes(std::size_t count);

}  // namespace plinth::governance
