#include "model/gguf_copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "model/gguf/gguf_set.h"
#include "model/gguf/stored_type.h"
#include "model/gguf_writer.h"
#include "tensor/quantize.h"

namespace plinth::model {

namespace {

// Magic, version and two counts.
constexpr std::uint64_t kHeaderBytes = 24;

std::int64_t columns_of(const GgufTensor& tensor) { return tensor.dims.at(0); }
// 0 for a vector.
std::int64_t rows_of(const GgufTensor& tensor) {
  return tensor.dims.size() > 1 ? tensor.dims[1] : 0;
}

tensor::DType changed_type(const GgufTensor& tensor, tensor::DType dtype) {
  return rows_of(tensor) == 0 ? tensor::DType::f32 : stored_type(dtype, columns_of(tensor));
}

bool is_outer(const std::string& name) {
  return name == "token_embd.weight" || name == "output.weight";
}

GgufWriter::Rows changed_rows(const GgufTensor& tensor, const ChangeRow& change,
                              tensor::DType dtype) {
  return [&tensor, &change, dtype](std::int64_t first, std::int64_t count, std::uint8_t* out) {
    const auto columns = columns_of(tensor);
    const auto stored = tensor::row_bytes(tensor.dtype, columns);
    std::vector<float> row(static_cast<std::size_t>(columns));
    for (auto r = first; r < first + count; ++r, out += tensor::row_bytes(dtype, columns)) {
      tensor::dequantize_row(tensor.dtype, tensor.data + static_cast<std::size_t>(r) * stored,
                             row.data(), columns);
      change(r, row.data());
      tensor::quantize_row(dtype, row.data(), out, columns);
    }
  };
}

GgufWriter::Rows same_rows(const GgufTensor& tensor) {
  return [&tensor](std::int64_t first, std::int64_t count, std::uint8_t* out) {
    const auto bytes = tensor::row_bytes(tensor.dtype, columns_of(tensor));
    std::memcpy(out, tensor.data + static_cast<std::size_t>(first) * bytes,
                static_cast<std::size_t>(count) * bytes);
  };
}

}  // namespace

absl::Status copy_gguf(const GgufCopy& copy) {
  ASSIGN_OR_RETURN(const auto set, open_gguf(copy.from));
  if (set->files.size() != 1) {
    return base::unimplemented(
        fmt::format("[gguf] {} is in {} parts: join them first", copy.from, set->files.size()));
  }
  const auto& table = set->table;
  if (table.metadata.contains("general.alignment") &&
      *table.integer("general.alignment") != GgufWriter::kAlignment) {
    return base::unimplemented(fmt::format("[gguf] {}: general.alignment", copy.from));
  }
  for (const auto& change : copy.changes) {
    if (!table.tensors.contains(change.first))
      return base::not_found(fmt::format("[gguf] there is no tensor {}", change.first));
  }
  std::uint64_t metadata_end = set->files[0].bytes().size();
  for (const auto& entry : table.tensors)
    metadata_end = std::min(metadata_end, entry.second.entry_offset);
  GgufWriter writer;
  writer.set_all(table.metadata.size(),
                 set->files[0].bytes().subspan(kHeaderBytes, metadata_end - kHeaderBytes));
  for (const auto& [name, tensor] : table.tensors) {
    if (tensor.dims.size() > 2)
      return base::unimplemented(
          fmt::format("[gguf] {} has {} dimensions", name, tensor.dims.size()));
    static const ChangeRow kNone = [](std::int64_t, float*) {};
    const auto change = copy.changes.find(name);
    const bool changes = change != copy.changes.end();
    if (!changes && (!copy.all || rows_of(tensor) == 0)) {
      writer.add(name, tensor.dtype, rows_of(tensor), columns_of(tensor), same_rows(tensor));
      continue;
    }
    const auto dtype = changed_type(tensor, copy.all && is_outer(name) ? copy.outer : copy.dtype);
    writer.add(name, dtype, rows_of(tensor), columns_of(tensor),
               changed_rows(tensor, changes ? change->second : kNone, dtype));
  }
  return writer.write(copy.to, nullptr);
}

}  // namespace plinth::model
