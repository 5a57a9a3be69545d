#include "model/gguf_writer.h"

#include <algorithm>
#include <cstring>

#include "base/new_file.h"
#include "base/units.h"
#include "model/gguf/gguf_type.h"

namespace plinth::model {

namespace {

using namespace base::literals;

constexpr std::uint64_t kChunkBytes = 4_MiB;
// The format's numbers for the types of values.
constexpr std::uint32_t kU32 = 4, kI32 = 5, kF32 = 6, kBool = 7, kText = 8, kArray = 9;

template <typename T>
void put(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void put_text(std::string& to, std::string_view text) {
  put<std::uint64_t>(to, text.size());
  to.append(text);
}

}  // namespace

std::uint64_t GgufWriter::Tensor::bytes() const {
  return static_cast<std::uint64_t>(stored_rows()) * tensor::row_bytes(dtype, columns);
}

void GgufWriter::begin(std::string_view key, std::uint32_t type) {
  ++keys_;
  put_text(metadata_, key);
  put(metadata_, type);
}

void GgufWriter::set(std::string_view key, std::uint32_t value) {
  begin(key, kU32);
  put(metadata_, value);
}

void GgufWriter::set(std::string_view key, float value) {
  begin(key, kF32);
  put(metadata_, value);
}

void GgufWriter::set(std::string_view key, bool value) {
  begin(key, kBool);
  put<std::uint8_t>(metadata_, value ? 1 : 0);
}

void GgufWriter::set(std::string_view key, std::string_view value) {
  begin(key, kText);
  put_text(metadata_, value);
}

void GgufWriter::set(std::string_view key, const std::vector<std::string>& values) {
  begin(key, kArray);
  put(metadata_, kText);
  put<std::uint64_t>(metadata_, values.size());
  for (const auto& value : values) put_text(metadata_, value);
}

void GgufWriter::set(std::string_view key, const std::vector<std::int32_t>& values) {
  begin(key, kArray);
  put(metadata_, kI32);
  put<std::uint64_t>(metadata_, values.size());
  for (const auto value : values) put(metadata_, value);
}

void GgufWriter::set(std::string_view key, const std::vector<float>& values) {
  begin(key, kArray);
  put(metadata_, kF32);
  put<std::uint64_t>(metadata_, values.size());
  for (const auto value : values) put(metadata_, value);
}

void GgufWriter::set_all(std::uint64_t keys, std::span<const std::uint8_t> entries) {
  keys_ += keys;
  metadata_.append(reinterpret_cast<const char*>(entries.data()), entries.size());
}

void GgufWriter::add(std::string name, tensor::DType dtype, std::int64_t rows, std::int64_t columns,
                     Rows rows_of) {
  tensors_.push_back({std::move(name), dtype, rows, columns, std::move(rows_of)});
}

std::string GgufWriter::header() const {
  std::string out = "GGUF";
  put<std::uint32_t>(out, 3);
  put<std::uint64_t>(out, tensors_.size());
  put(out, keys_);
  out += metadata_;
  std::uint64_t offset = 0;
  for (const auto& tensor : tensors_) {
    put_text(out, tensor.name);
    put<std::uint32_t>(out, tensor.rows == 0 ? 1 : 2);
    put(out, static_cast<std::uint64_t>(tensor.columns));
    if (tensor.rows != 0) put(out, static_cast<std::uint64_t>(tensor.rows));
    put(out, gguf_type_number(tensor.dtype));
    put(out, offset);
    offset += base::round_up(tensor.bytes(), kAlignment);
  }
  out.resize(base::round_up<std::size_t>(out.size(), kAlignment));
  return out;
}

absl::Status GgufWriter::write(
    const std::string& path,
    const std::function<void(std::uint64_t, std::uint64_t)>& progress) const {
  ASSIGN_OR_RETURN(auto file, base::NewFile::create(path));
  const std::string head = header();
  std::uint64_t total = head.size(), written = 0;
  for (const auto& tensor : tensors_) total += base::round_up(tensor.bytes(), kAlignment);
  const auto append = [&](const char* bytes, std::size_t size) -> absl::Status {
    RETURN_IF_ERROR(file.write({bytes, size}));
    written += size;
    if (progress) progress(written, total);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(append(head.data(), head.size()));
  std::string chunk;
  for (const auto& tensor : tensors_) {
    const auto row = static_cast<std::int64_t>(tensor::row_bytes(tensor.dtype, tensor.columns));
    const auto fit = std::max<std::int64_t>(1, static_cast<std::int64_t>(kChunkBytes) / row);
    for (std::int64_t at = 0; at < tensor.stored_rows(); at += fit) {
      const auto rows = std::min(fit, tensor.stored_rows() - at);
      chunk.resize(static_cast<std::size_t>(rows * row));
      tensor.rows_of(at, rows, reinterpret_cast<std::uint8_t*>(chunk.data()));
      RETURN_IF_ERROR(append(chunk.data(), chunk.size()));
    }
    chunk.assign(base::round_up(tensor.bytes(), kAlignment) - tensor.bytes(), '\0');
    RETURN_IF_ERROR(append(chunk.data(), chunk.size()));
  }
  return file.commit();
}

}  // namespace plinth::model
