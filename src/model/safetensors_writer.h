// Writes safetensors of fp32 matrices, array by array. Format: github.com/huggingface/safetensors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace plinth::model {

struct NamedMatrix {
  std::string name;
  std::int64_t rows = 0, columns = 0;
  const float* values = nullptr;  // [rows, columns]
};

// The whole file, durable and under its name only once it is complete.
absl::Status write_safetensors(const std::string& path, const std::vector<NamedMatrix>& matrices);

}  // namespace plinth::model
