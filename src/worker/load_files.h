// The files beside a model that make its next start faster: opened before the sandbox, which lets a
// worker write into what it holds and open nothing more.
#pragma once

#include <optional>

#include "base/clock.h"
#include "tensor/tuner.h"
#include "tensor/tuning_file.h"
#include "worker/worker.h"

namespace plinth::worker {

// A model loads without them too: what goes wrong is a line in the log.
class LoadFiles {
 public:
  LoadFiles(const WorkerOptions& options, const base::Clock& clock);
  // The runner's options with what was found. Valid as long as this is.
  engine::ModelRunnerOptions runner();
  // The model is loaded: keeps what was measured.
  void keep();

 private:
  absl::Status open(const WorkerOptions& options);

  engine::ModelRunnerOptions runner_;
  std::optional<tensor::TuningFile> tuning_;
  std::optional<tensor::Tuner> tuner_;
};

}  // namespace plinth::worker
