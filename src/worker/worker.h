// One worker process: dials its gateway, loads one model, serves calls until the link ends.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "engine/engine.h"
#include "engine/model_runner.h"

namespace plinth::worker {

struct WorkerOptions {
  std::string socket_path;
  std::string token;       // proves to the gateway that it started this worker
  std::string model_path;  // a .gguf file or a folder
  engine::EngineOptions engine;
  engine::ModelRunnerOptions runner;
  std::string cache_folder;   // of the files that make the next start faster; "" = none
  bool packed_cache = false;  // weights as the kernels read them
  bool autotune = true;       // choices of blocking
};

// OK when the gateway ended the link. A model that cannot be loaded is reported to the gateway
// and returned.
absl::Status run_worker(const WorkerOptions& options, const base::Clock& clock);

}  // namespace plinth::worker
