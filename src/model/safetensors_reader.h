// The container: a JSON header that names each tensor's type, shape and bytes, then the bytes.
// Format: github.com/huggingface/safetensors, "Format". Reads hostile bytes into a checked table.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/dtype.h"

namespace plinth::model {

struct SafetensorsTensor {
  std::string type;                    // as the file spells it: "F32", "BF16", "I64"
  std::optional<tensor::DType> dtype;  // of F32, F16 and BF16; the others can be listed only
  std::vector<std::int64_t> shape;  // slowest first: a matrix is {rows, columns}; {} = one number
  const std::uint8_t* data = nullptr;  // no alignment
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;  // of the data, from the start of the file
};

using SafetensorsTable = std::map<std::string, SafetensorsTensor, std::less<>>;

// Views into `bytes`, a whole file. The tensors cover everything after the header exactly once:
// gaps, overlaps and a tail are errors, as are repeated names. An error names the tensor, the field
// and the byte offset in the file.
absl::StatusOr<SafetensorsTable> parse_safetensors(std::span<const std::uint8_t> bytes);

}  // namespace plinth::model
