// Starts worker processes somewhere. The local one forks; fake_executor.h answers from a script.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace plinth::cluster {

struct WorkerSpec {
  std::vector<std::string> arguments;  // after the program's name
  std::string token;                   // goes through the environment, never the command line
  std::string log_path;                // stderr is appended here
  // Descriptors that become its stdin and stdout; -1 = nothing, and the log. Stay the caller's.
  int input = -1, output = -1;
  // It has the processor where nobody else wants it: SCHED_IDLE, nice 19.
  bool background = false;
  std::uint64_t memory_bytes = 0;  // of its own memory, files that it maps apart; 0 = unbounded
};

// Destroying it kills the worker and waits for its end.
class WorkerProcess {
 public:
  virtual ~WorkerProcess() = default;
  virtual void kill() = 0;
  // Asks it to end by itself.
  virtual void interrupt() { kill(); }
  // How it ended ("exit code 1", "signal 9"), or nothing while it runs. Never blocks.
  virtual std::optional<std::string> ended() = 0;
};

class Executor {
 public:
  virtual ~Executor() = default;
  // To be called from one thread that lives as long as the workers: they die with it.
  virtual absl::StatusOr<std::unique_ptr<WorkerProcess>> start(const WorkerSpec& spec) = 0;
};

inline constexpr char kWorkerTokenVariable[] = "PLINTH_WORKER_TOKEN";

// fork and exec of `program`, this machine's own executor.
std::unique_ptr<Executor> make_local_executor(std::string program);

}  // namespace plinth::cluster
