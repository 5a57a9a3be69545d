// The two processes that `plinth bench gateway` measures with: a real gateway, and a worker whose
// model is the fake runner.
#pragma once

#include <string>

#include "base/status.h"

namespace plinth {

inline constexpr char kBenchModel[] = "fake";

// A gateway on a free port of loopback, with its home in `home`. Prints one JSON line with url and
// api_key when it is ready, and ends when its standard input does.
absl::Status run_bench_gateway(const std::string& home, int step_ms);

// A worker that dials `socket`. Every step of its engine takes at least `step_ms`, as a model's
// would: it is the gateway that is measured, at a pace that it can keep.
absl::Status run_bench_worker(const std::string& socket, int step_ms);

}  // namespace plinth
