// The gateway that `plinth bench gateway` and `plinth bench requests` measure, as a process of its
// own, so that its CPU time and memory are its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/status.h"

namespace plinth {

class GatewayProcess {
 public:
  // `database`: as `plinth up` takes it; "" for SQLite in `home`. Returns when it is ready.
  static absl::StatusOr<std::unique_ptr<GatewayProcess>> start(const std::string& home, int step_ms,
                                                               const std::string& database);
  // The server that answers at once, to compare with: run_bench_bare_server().
  static absl::StatusOr<std::unique_ptr<GatewayProcess>> start_bare(bool streamed);
  // Ends it and waits.
  ~GatewayProcess();

  // User and system time of all its threads.
  absl::StatusOr<double> cpu_seconds() const;
  // "VmRSS" or "VmHWM", the most so far.
  absl::StatusOr<double> memory_mib(std::string_view field) const;

  std::uint16_t port = 0;
  std::string api_key;

 private:
  GatewayProcess() = default;
  static absl::StatusOr<std::unique_ptr<GatewayProcess>> start(std::vector<std::string> arguments);
  absl::Status spawn(std::vector<std::string> words);
  absl::Status read_ready_line();

  pid_t pid_ = 0;
  base::UniqueFd to_, from_;
};

}  // namespace plinth
