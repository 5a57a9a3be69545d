// A home for a benchmark, under the system's folder for temporary files.
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "base/status.h"

namespace plinth {

// Gone, with all in it, when `measure` returns.
absl::Status in_bench_home(absl::FunctionRef<absl::Status(const std::string& home)> measure);

}  // namespace plinth
