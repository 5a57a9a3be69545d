// Writes safetensors, array by array. Format: github.com/huggingface/safetensors.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/storage.h"
#include "tensor/dtype.h"

namespace plinth::model {

struct NamedMatrix {
  std::string name;
  std::int64_t rows = 0, columns = 0;
  const float* values = nullptr;  // [rows, columns]
};

// The whole file, durable and under its name only once it is complete.
absl::Status write_safetensors(const std::string& path, const std::vector<NamedMatrix>& matrices,
                               const base::Storage& storage = base::plain_storage());

// An array whose rows are made when they are written.
struct RowArray {
  std::string name;
  std::vector<std::int64_t> shape;  // a vector is one row
  std::function<void(std::int64_t row, float* numbers)> row;
};

// The same, rounded to `dtype`: F32, F16 or BF16.
absl::Status write_safetensors(const std::string& path, const std::vector<RowArray>& arrays,
                               tensor::DType dtype,
                               const base::Storage& storage = base::plain_storage());

}  // namespace plinth::model
