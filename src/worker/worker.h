// One worker process: dials its gateway, loads one model, serves calls until the link ends.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "engine/engine.h"

namespace plinth::worker {

struct WorkerOptions {
  std::string socket_path;
  std::string token;       // proves to the gateway that it started this worker
  std::string model_path;  // a .gguf file
  engine::EngineOptions engine;
  int threads = 1;
};

// OK when the gateway ended the link. A model that cannot be loaded is reported to the gateway
// and returned.
absl::Status run_worker(const WorkerOptions& options, const base::Clock& clock);

}  // namespace plinth::worker
