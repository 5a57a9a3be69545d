// A run as it lies on disk between two steps:
//   step-00000120/run.json           which run it is, and how far
//   step-00000120/state.safetensors  named matrices in fp32
//   step-00000120/DONE               written last: without it the folder is none
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "base/storage.h"

namespace plinth::train {

// A matrix that a checkpoint has; its numbers are read or written where they are.
struct CheckpointMatrix {
  std::string name;
  std::int64_t rows = 0, columns = 0;
  float* values = nullptr;  // [rows, columns]
  // What is read of it, row-major, and to `values`; end -1: all.
  std::int64_t begin = 0, end = -1;
};

// Durable when this returns OK; then the newest `keep` are left, and whatever is not done goes.
// Where it fails those before it are as they were.
absl::Status write_checkpoint(const std::string& folder, std::int64_t step,
                              const base::json::object& run,
                              const std::vector<CheckpointMatrix>& matrices, int keep,
                              const base::Storage& storage = base::plain_storage());

// The step of the newest that is done; nothing where there is none.
absl::StatusOr<std::optional<std::int64_t>> newest_checkpoint(const std::string& folder);

// `run` is what write_checkpoint() was given, as far as its names go: FailedPrecondition names one
// that differs. DataLoss names a matrix that is missing or has another shape; some matrices are
// read by then.
absl::Status read_checkpoint(const std::string& folder, std::int64_t step,
                             const base::json::object& run,
                             const std::vector<CheckpointMatrix>& matrices,
                             const base::Storage& storage = base::plain_storage());

}  // namespace plinth::train
