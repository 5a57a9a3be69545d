#include "model/safetensors_writer.h"

#include <algorithm>
#include <span>

#include "base/json.h"
#include "base/units.h"
#include "tensor/quantize.h"

namespace plinth::model {

namespace {

// Of the header, so that what follows it is aligned.
constexpr std::size_t kAlignment = 8;

std::string_view type_name(tensor::DType dtype) {
  return dtype == tensor::DType::f32 ? "F32" : dtype == tensor::DType::f16 ? "F16" : "BF16";
}

std::int64_t columns_of(const RowArray& array) { return array.shape.back(); }
std::int64_t rows_of(const RowArray& array) {
  return array.shape.size() == 1 ? 1 : array.shape.front();
}

std::string header_of(const std::vector<RowArray>& arrays, tensor::DType dtype) {
  // Some readers ask for the framework that wrote a file before they look further.
  base::json::object header{{"__metadata__", {{"format", "pt"}}}};
  std::uint64_t at = 0;
  for (const auto& array : arrays) {
    const auto bytes =
        static_cast<std::uint64_t>(rows_of(array)) * tensor::row_bytes(dtype, columns_of(array));
    header[array.name] =
        base::json::object{{"dtype", type_name(dtype)},
                           {"shape", base::json::array(array.shape.begin(), array.shape.end())},
                           {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  auto text = base::to_json(header);
  text.resize(base::round_up(text.size(), kAlignment), ' ');
  return text;
}

template <typename T>
std::string_view bytes_of(const T* values, std::size_t count) {
  return {reinterpret_cast<const char*>(values), count * sizeof(T)};
}

absl::Status write_rows(const RowArray& array, tensor::DType dtype, base::FileSink& file) {
  std::vector<float> numbers(static_cast<std::size_t>(columns_of(array)));
  std::vector<std::uint8_t> stored(tensor::row_bytes(dtype, columns_of(array)));
  for (std::int64_t row = 0; row < rows_of(array); ++row) {
    array.row(row, numbers.data());
    tensor::quantize_row(dtype, numbers.data(), stored.data(), columns_of(array));
    RETURN_IF_ERROR(file.write(bytes_of(stored.data(), stored.size())));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status write_safetensors(const std::string& path, const std::vector<RowArray>& arrays,
                               tensor::DType dtype, const base::Storage& storage) {
  ASSIGN_OR_RETURN(const auto file, storage.create(path));
  const auto header = header_of(arrays, dtype);
  const std::uint64_t size = header.size();
  RETURN_IF_ERROR(file->write(bytes_of(&size, 1)));
  RETURN_IF_ERROR(file->write(header));
  for (const auto& array : arrays) RETURN_IF_ERROR(write_rows(array, dtype, *file));
  return file->commit();
}

absl::Status write_safetensors(const std::string& path, const std::vector<NamedMatrix>& matrices,
                               const base::Storage& storage) {
  std::vector<RowArray> arrays;
  for (const auto& matrix : matrices) {
    arrays.push_back(
        {matrix.name, {matrix.rows, matrix.columns}, [&matrix](std::int64_t row, float* numbers) {
           std::copy_n(matrix.values + row * matrix.columns, matrix.columns, numbers);
         }});
  }
  return write_safetensors(path, arrays, tensor::DType::f32, storage);
}

}  // namespace plinth::model
