// Writes GGUF version 3, tensor by tensor, without holding the model in memory.
// Format: github.com/ggml-org/ggml, docs/gguf.md.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/dtype.h"

namespace plinth::model {

class GgufWriter {
 public:
  // Of every tensor's data.
  static constexpr std::uint64_t kAlignment = 32;

  // Fills `out` with `count` stored rows of the tensor, from row `first`.
  using Rows = std::function<void(std::int64_t first, std::int64_t count, std::uint8_t* out)>;

  void set(std::string_view key, std::uint32_t value);
  void set(std::string_view key, float value);
  void set(std::string_view key, bool value);
  void set(std::string_view key, std::string_view value);
  void set(std::string_view key, const char* value) { set(key, std::string_view(value)); }
  void set(std::string_view key, const std::vector<std::string>& values);
  void set(std::string_view key, const std::vector<std::int32_t>& values);
  void set(std::string_view key, const std::vector<float>& values);

  // `keys` entries as another file has them, byte by byte; they come first.
  void set_all(std::uint64_t keys, std::span<const std::uint8_t> entries);

  // A matrix [rows, columns]; a vector where `rows` is 0.
  void add(std::string name, tensor::DType dtype, std::int64_t rows, std::int64_t columns,
           Rows rows_of);

  // The whole file, durable and under its name only once it is complete. `progress` hears the bytes
  // written and their total. Unavailable or ResourceExhausted with the system's reason.
  absl::Status write(const std::string& path,
                     const std::function<void(std::uint64_t, std::uint64_t)>& progress) const;

 private:
  struct Tensor {
    std::string name;
    tensor::DType dtype;
    std::int64_t rows;
    std::int64_t columns;
    Rows rows_of;
    std::int64_t stored_rows() const { return rows == 0 ? 1 : rows; }
    std::uint64_t bytes() const;
  };

  void begin(std::string_view key, std::uint32_t type);
  std::string header() const;

  std::uint64_t keys_ = 0;
  std::string metadata_;
  std::vector<Tensor> tensors_;
};

}  // namespace plinth::model
