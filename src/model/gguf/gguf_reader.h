// The container: GGUF version 2 and 3, little-endian. Reads hostile bytes into checked tables.
// Format: github.com/ggml-org/ggml, docs/gguf.md.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "tensor/dtype.h"

namespace plinth::model {

using GgufArray =
    std::variant<std::vector<std::int64_t>, std::vector<double>, std::vector<std::string_view>>;
using GgufValue = std::variant<std::int64_t, double, bool, std::string_view, GgufArray>;

struct GgufTensor {
  tensor::DType dtype = tensor::DType::f32;
  // As stored, fastest first: a matrix [rows, columns] has dims {columns, rows}.
  std::vector<std::int64_t> dims;
  const std::uint8_t* data = nullptr;
  std::uint64_t bytes = 0;
  std::uint64_t entry_offset = 0;  // of its header entry in the file, for errors
};

// Views into the bytes it was parsed from.
struct Gguf {
  std::uint32_t version = 0;
  std::map<std::string, GgufValue, std::less<>> metadata;
  std::map<std::string, GgufTensor, std::less<>> tensors;
  std::map<std::string, std::uint64_t, std::less<>> key_offsets;  // of each key in the file

  // Typed look-ups. NotFound names the key; InvalidArgument a key of another type.
  absl::StatusOr<std::int64_t> integer(std::string_view key) const;
  absl::StatusOr<double> number(std::string_view key) const;
  absl::StatusOr<std::string_view> text(std::string_view key) const;
  absl::StatusOr<bool> boolean(std::string_view key) const;
  template <typename T>
  absl::StatusOr<const std::vector<T>*> array(std::string_view key) const;
  // InvalidArgument "[gguf] byte 812: llama.block_count is 0" for a key that is there.
  absl::Status fail(std::string_view key, std::string_view what) const;
};

absl::StatusOr<Gguf> parse_gguf(std::span<const std::uint8_t> bytes);

}  // namespace plinth::model
