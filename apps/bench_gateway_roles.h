// The processes that `plinth bench gateway` and `plinth bench requests` measure with: a real
// gateway, a worker whose model is the fake runner, and a server that does nothing.
#pragma once

#include <string>

#include "base/status.h"

namespace plinth {

inline constexpr char kBenchModel[] = "fake";

// A gateway on a free port of loopback, with its home in `home` and its tenants in `database` ("" =
// SQLite in the home). Its project has a price, a budget and limits that are never reached: what
// they cost is measured. Prints one JSON line with port and api_key when it is ready, and ends when
// its standard input does.
absl::Status run_bench_gateway(const std::string& home, int step_ms, const std::string& database);

// A worker that dials `socket`. Every step of its engine takes at least `step_ms`, as a model's
// would: it is the gateway that is measured, at a pace that it can keep.
absl::Status run_bench_worker(const std::string& socket, int step_ms);

// A server on a free port of loopback that answers every request at once with as many bytes as the
// gateway would, `streamed` in chunks: what the machine, HTTP and the client take by themselves.
// Prints the same line and ends the same way.
absl::Status run_bench_bare_server(bool streamed);

}  // namespace plinth
