#include "train/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "model/safetensors_reader.h"
#include "model/safetensors_writer.h"

namespace plinth::train {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-", kDone = "DONE";
constexpr std::size_t kRunBytesMax = 1u << 20;

std::string place(const std::string& folder, std::int64_t step) {
  return fmt::format("{}/{}{:08}", folder, kPrefix, step);
}

// The steps of all folders of checkpoints, done or not, ascending.
absl::StatusOr<std::vector<std::int64_t>> steps_in(const std::string& folder) {
  std::vector<std::int64_t> steps;
  std::error_code error;
  for (auto it = fs::directory_iterator(folder, error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    const auto name = it->path().filename().string();
    if (name.compare(0, kPrefix.size(), kPrefix) != 0) continue;
    std::int64_t step = 0;
    const auto* begin = name.data() + kPrefix.size();
    const auto* end = name.data() + name.size();
    if (std::from_chars(begin, end, step).ptr == end && step >= 0) steps.push_back(step);
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return base::errno_status(error.value(), folder);
  std::sort(steps.begin(), steps.end());
  return steps;
}

bool is_done(const std::string& folder, std::int64_t step) {
  std::error_code error;
  return fs::exists(fmt::format("{}/{}", place(folder, step), kDone), error);
}

// DONE goes first, so that what is half removed is no checkpoint.
absl::Status remove(const std::string& folder, std::int64_t step) {
  std::error_code error;
  fs::remove(fmt::format("{}/{}", place(folder, step), kDone), error);
  fs::remove_all(place(folder, step), error);
  return error ? base::errno_status(error.value(), place(folder, step)) : absl::OkStatus();
}

absl::Status remove_others(const std::string& folder, int keep) {
  ASSIGN_OR_RETURN(const auto steps, steps_in(folder));
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    if (is_done(folder, *step) && keep-- > 0) continue;
    RETURN_IF_ERROR(remove(folder, *step));
  }
  return absl::OkStatus();
}

absl::Status copy_matrix(const model::SafetensorsTable& table, const CheckpointMatrix& matrix) {
  const auto found = table.find(matrix.name);
  const std::vector<std::int64_t> shape = {matrix.rows, matrix.columns};
  if (found == table.end() || found->second.type != "F32" || found->second.shape != shape) {
    return base::data_loss(fmt::format("[checkpoint] {} of {} by {} is not there", matrix.name,
                                       matrix.rows, matrix.columns));
  }
  const auto end = matrix.end < 0 ? matrix.rows * matrix.columns : matrix.end;
  if (end == matrix.begin) return absl::OkStatus();
  const auto offset = static_cast<std::size_t>(matrix.begin) * sizeof(float);
  std::memcpy(matrix.values, found->second.data + offset,
              static_cast<std::size_t>(end - matrix.begin) * sizeof(float));
  return absl::OkStatus();
}

}  // namespace

absl::Status write_checkpoint(const std::string& folder, std::int64_t step,
                              const base::json::object& run,
                              const std::vector<CheckpointMatrix>& matrices, int keep,
                              const base::Storage& storage) {
  const auto path = place(folder, step);
  RETURN_IF_ERROR(remove(folder, step));
  RETURN_IF_ERROR(base::make_folders(path));
  std::vector<model::NamedMatrix> named;
  for (const auto& matrix : matrices)
    named.push_back({matrix.name, matrix.rows, matrix.columns, matrix.values});
  RETURN_IF_ERROR(model::write_safetensors(path + "/state.safetensors", named, storage));
  RETURN_IF_ERROR(storage.write(path + "/run.json", base::to_json(run) + "\n"));
  RETURN_IF_ERROR(base::sync_folder(folder));
  RETURN_IF_ERROR(base::write_file_atomic(fmt::format("{}/{}", path, kDone), ""));
  return remove_others(folder, keep);
}

absl::StatusOr<std::optional<std::int64_t>> newest_checkpoint(const std::string& folder) {
  ASSIGN_OR_RETURN(const auto steps, steps_in(folder));
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    if (is_done(folder, *step)) return *step;
  }
  return std::nullopt;
}

absl::Status read_checkpoint(const std::string& folder, std::int64_t step,
                             const base::json::object& run,
                             const std::vector<CheckpointMatrix>& matrices,
                             const base::Storage& storage) {
  const auto path = place(folder, step);
  ASSIGN_OR_RETURN(const auto described, storage.read(path + "/run.json"));
  if (described.bytes().size() > kRunBytesMax)
    return base::data_loss(fmt::format("[checkpoint] {}/run.json is too long", path));
  const auto stored = base::parse_json(described.text());
  if (!stored.ok() || !stored->is_object())
    return base::data_loss(fmt::format("[checkpoint] {}/run.json is damaged", path));
  for (const auto& [name, value] : run) {
    const auto* before = stored->get_object().if_contains(name);
    if (before != nullptr && base::to_json(*before) == base::to_json(value)) continue;
    return base::failed_precondition(fmt::format(
        "[checkpoint] {} is of another run: its {} is {}, and not {}", path, std::string_view(name),
        before == nullptr ? "unknown" : base::to_json(*before), base::to_json(value)));
  }
  ASSIGN_OR_RETURN(const auto file, storage.read(path + "/state.safetensors"));
  const auto table = model::parse_safetensors(file.bytes());
  if (!table.ok())
    return base::data_loss(fmt::format("[checkpoint] {}: {}", path, base::message(table.status())));
  for (const auto& matrix : matrices) RETURN_IF_ERROR(copy_matrix(*table, matrix));
  return absl::OkStatus();
}

}  // namespace plinth::train
