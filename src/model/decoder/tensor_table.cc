#include "model/decoder/tensor_table.h"

#include <fmt/format.h>

namespace plinth::model {

absl::StatusOr<const StoredTensor*> TensorTable::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    return base::invalid_argument(fmt::format("tensor {} is missing", name));
  }
  return &found->second;
}

absl::StatusOr<const StoredTensor*> TensorTable::shaped(std::string_view name,
                                                        const std::vector<std::int64_t>& dims) {
  ASSIGN_OR_RETURN(const auto* tensor, find(name));
  if (tensor->dims != dims) {
    return base::invalid_argument(fmt::format("byte {}: tensor {} has shape [{}], expected [{}]",
                                              tensor->offset, name, fmt::join(tensor->dims, ", "),
                                              fmt::join(dims, ", ")));
  }
  used_.emplace(name);
  return tensor;
}

absl::StatusOr<tensor::MatrixView> TensorTable::matrix(std::string_view name, std::int64_t rows,
                                                       std::int64_t columns) {
  ASSIGN_OR_RETURN(const auto* tensor, shaped(name, {rows, columns}));
  return tensor::MatrixView{tensor->data, tensor->dtype, rows, columns};
}

absl::Status TensorTable::matrices(std::string_view name, std::int64_t count, std::int64_t rows,
                                   std::int64_t columns, std::vector<tensor::MatrixView>& out) {
  ASSIGN_OR_RETURN(const auto* tensor, shaped(name, {count, rows, columns}));
  const tensor::MatrixView all{tensor->data, tensor->dtype, count * rows, columns};
  out.clear();
  for (std::int64_t i = 0; i < count; ++i) out.push_back(slice_rows(all, i * rows, rows));
  return absl::OkStatus();
}

absl::Status TensorTable::vector(std::string_view name, std::int64_t size,
                                 std::vector<float>& out) {
  ASSIGN_OR_RETURN(const auto* tensor, shaped(name, {size}));
  out.resize(static_cast<std::size_t>(size));
  tensor::dequantize_row(tensor->dtype, tensor->data, out.data(), size);
  return absl::OkStatus();
}

absl::StatusOr<tensor::MatrixView> TensorTable::transposed(
    std::string_view name, std::int64_t rows, std::int64_t columns,
    std::vector<std::vector<float>>& storage) {
  ASSIGN_OR_RETURN(const auto* tensor, shaped(name, {columns, rows}));
  std::vector<float> turned(static_cast<std::size_t>(rows * columns));
  std::vector<float> line(static_cast<std::size_t>(rows));
  const std::size_t stride = tensor::row_bytes(tensor->dtype, rows);
  for (std::int64_t column = 0; column < columns; ++column) {
    const auto* from = tensor->data + static_cast<std::size_t>(column) * stride;
    tensor::dequantize_row(tensor->dtype, from, line.data(), rows);
    for (std::int64_t row = 0; row < rows; ++row) {
      turned[static_cast<std::size_t>(row * columns + column)] =
          line[static_cast<std::size_t>(row)];
    }
  }
  storage.push_back(std::move(turned));
  return tensor::MatrixView{reinterpret_cast<const std::uint8_t*>(storage.back().data()),
                            tensor::DType::f32, rows, columns};
}

absl::Status TensorTable::check_all_used(std::string_view architecture) const {
  for (const auto& [name, tensor] : tensors_) {
    if (!used_.contains(name)) {
      return base::invalid_argument(fmt::format("byte {}: tensor {} is no part of architecture {}",
                                                tensor.offset, name, architecture));
    }
  }
  return absl::OkStatus();
}

tensor::MatrixView slice_rows(const tensor::MatrixView& matrix, std::int64_t begin,
                              std::int64_t rows) {
  const std::size_t stride = tensor::row_bytes(matrix.dtype, matrix.columns);
  return {matrix.data + static_cast<std::size_t>(begin) * stride, matrix.dtype, rows,
          matrix.columns};
}

}  // namespace plinth::model
