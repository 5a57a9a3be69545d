// The tensors of a model file by name, whatever the format: looked up, held to the shape that the
// description gives, and ticked off, so that a tensor which nothing reads is an error and not a
// silently different model.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/dtype.h"

namespace plinth::model {

struct StoredTensor {
  tensor::DType dtype = tensor::DType::f32;
  std::vector<std::int64_t> dims;  // slowest first: a matrix is {rows, columns}
  const std::uint8_t* data = nullptr;
  std::uint64_t offset = 0;  // in the file, for errors
};

// Errors are InvalidArgument and name the tensor, its shape and the one that was expected.
class TensorTable {
 public:
  explicit TensorTable(std::map<std::string, StoredTensor, std::less<>> tensors)
      : tensors_(std::move(tensors)) {}

  bool has(std::string_view name) const { return tensors_.contains(name); }
  absl::StatusOr<const StoredTensor*> find(std::string_view name) const;
  absl::StatusOr<tensor::MatrixView> matrix(std::string_view name, std::int64_t rows,
                                            std::int64_t columns);
  // `count` matrices stacked in one tensor [count, rows, columns].
  absl::Status matrices(std::string_view name, std::int64_t count, std::int64_t rows,
                        std::int64_t columns, std::vector<tensor::MatrixView>& out);
  absl::Status vector(std::string_view name, std::int64_t size, std::vector<float>& out);
  // A matrix stored as its transpose [columns, rows], turned into `storage`.
  absl::StatusOr<tensor::MatrixView> transposed(std::string_view name, std::int64_t rows,
                                                std::int64_t columns,
                                                std::vector<std::vector<float>>& storage);
  void ignore(std::string_view name) { used_.emplace(name); }
  const std::map<std::string, StoredTensor, std::less<>>& all() const { return tensors_; }
  // InvalidArgument names a tensor that was neither read nor ignored.
  absl::Status check_all_used(std::string_view architecture) const;

 private:
  absl::StatusOr<const StoredTensor*> shaped(std::string_view name,
                                             const std::vector<std::int64_t>& dims);
  std::map<std::string, StoredTensor, std::less<>> tensors_;
  std::set<std::string, std::less<>> used_;
};

// Rows [begin, begin + rows) of a stored matrix.
tensor::MatrixView slice_rows(const tensor::MatrixView& matrix, std::int64_t begin,
                              std::int64_t rows);

}  // namespace plinth::model
