#include "model/safetensors_writer.h"

#include "base/json.h"
#include "base/new_file.h"
#include "base/units.h"

namespace plinth::model {

namespace {

// Of the header, so that what follows it is aligned.
constexpr std::size_t kAlignment = 8;

std::string header_of(const std::vector<NamedMatrix>& matrices) {
  base::json::object header;
  std::uint64_t at = 0;
  for (const auto& matrix : matrices) {
    const auto end = at + static_cast<std::uint64_t>(matrix.rows * matrix.columns) * sizeof(float);
    header[matrix.name] = base::json::object{
        {"dtype", "F32"}, {"shape", {matrix.rows, matrix.columns}}, {"data_offsets", {at, end}}};
    at = end;
  }
  auto text = base::to_json(header);
  text.resize(base::round_up(text.size(), kAlignment), ' ');
  return text;
}

template <typename T>
std::string_view bytes_of(const T* values, std::size_t count) {
  return {reinterpret_cast<const char*>(values), count * sizeof(T)};
}

}  // namespace

absl::Status write_safetensors(const std::string& path, const std::vector<NamedMatrix>& matrices) {
  ASSIGN_OR_RETURN(auto file, base::NewFile::create(path));
  const auto header = header_of(matrices);
  const std::uint64_t size = header.size();
  RETURN_IF_ERROR(file.write(bytes_of(&size, 1)));
  RETURN_IF_ERROR(file.write(header));
  for (const auto& matrix : matrices) {
    const auto count = static_cast<std::size_t>(matrix.rows * matrix.columns);
    RETURN_IF_ERROR(file.write(bytes_of(matrix.values, count)));
  }
  return file.commit();
}

}  // namespace plinth::model
