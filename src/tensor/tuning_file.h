// The file that keeps a tuner's choices from one start to the next.
#pragma once

#include <string>

#include "base/file.h"
#include "base/status.h"
#include "tensor/tuner.h"

namespace plinth::tensor {

// One thread at a time.
class TuningFile {
 public:
  // Opens or creates it; needs no further right to open files afterwards.
  static absl::StatusOr<TuningFile> open(const std::string& path);

  // What it holds for this processor. Nothing where it is new, and, with a line in the log, where
  // it is damaged or another processor's.
  BlockingTable read() const;
  absl::Status write(const BlockingTable& table);

 private:
  TuningFile(std::string path, base::UniqueFd file)
      : path_(std::move(path)), file_(std::move(file)) {}
  absl::StatusOr<std::string> content() const;

  std::string path_;
  base::UniqueFd file_;
};

}  // namespace plinth::tensor
