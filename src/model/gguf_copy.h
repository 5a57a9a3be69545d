// A copy of a GGUF model some of whose matrices are others: a base with its adapter in it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/status.h"
#include "tensor/dtype.h"

namespace plinth::model {

// Changes row `row` of a matrix, whose numbers are there: [columns].
using ChangeRow = std::function<void(std::int64_t row, float* numbers)>;

struct GgufCopy {
  std::string from;
  std::string to;  // under this name only once it is complete
  // By the tensor's name in the file: "blk.0.attn_q.weight".
  std::map<std::string, ChangeRow> changes;
  // Of the matrices that change, or another one where rows do not divide into its blocks; vectors
  // are F32.
  tensor::DType dtype = tensor::DType::q8_0;
  bool all = false;                           // every matrix is stored so, changed or not
  tensor::DType outer = tensor::DType::q8_0;  // where all are: of the embedding and the head
};

// Metadata and all other tensors are as they were. NotFound names a tensor that the file lacks;
// Unimplemented for a file in several parts.
absl::Status copy_gguf(const GgufCopy& copy);

}  // namespace plinth::model
