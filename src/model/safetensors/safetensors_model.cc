#include "model/safetensors/safetensors_model.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "base/json_events.h"
#include "model/limits.h"

namespace plinth::model {

namespace {

constexpr char kSingle[] = "/model.safetensors";
constexpr char kIndex[] = "/model.safetensors.index.json";

// Takes weight_map out of the index and passes over everything else.
class IndexReader final : public base::JsonEvents {
 public:
  absl::Status begin_object() override {
    in_map_ = depth_ == 1 && section_ == "weight_map";
    map_seen_ = map_seen_ || in_map_;
    ++depth_;
    return absl::OkStatus();
  }
  absl::Status end_object() override {
    --depth_;
    in_map_ = false;
    return absl::OkStatus();
  }
  absl::Status begin_array() override {
    ++depth_;
    return in_map_ ? fail("is no file name") : absl::OkStatus();
  }
  absl::Status end_array() override {
    --depth_;
    return absl::OkStatus();
  }
  absl::Status key(std::string_view key) override {
    if (depth_ == 1) {
      section_ = std::string(key.substr(0, kNameBytesMax));
      if (section_ == "weight_map" && map_seen_) {
        return base::invalid_argument("weight_map occurs twice");
      }
      return absl::OkStatus();
    }
    if (!in_map_) return absl::OkStatus();
    tensor_ = std::string(key.substr(0, kNameBytesMax));
    if (key.size() > kNameBytesMax) return fail("has too long a name");
    if (map.contains(tensor_)) return fail("occurs twice");
    if (map.size() == kTensorsMax) return fail("is one tensor too many");
    return absl::OkStatus();
  }
  absl::Status text(std::string_view shard) override {
    if (!in_map_) return absl::OkStatus();
    if (shard.size() > kNameBytesMax || !shard.ends_with(".safetensors") || shard[0] == '.' ||
        shard.find_first_of(std::string_view("/\\\0", 3)) != std::string_view::npos) {
      return fail(fmt::format("shard {} is no plain name of a .safetensors file",
                              shard.substr(0, kNameBytesMax)));
    }
    map.emplace(tensor_, shard);
    return absl::OkStatus();
  }
  absl::Status integer(std::int64_t) override { return scalar(); }
  absl::Status number(double) override { return scalar(); }
  absl::Status boolean(bool) override { return scalar(); }
  absl::Status null() override { return scalar(); }

  std::map<std::string, std::string> map;

 private:
  absl::Status scalar() const { return in_map_ ? fail("is no file name") : absl::OkStatus(); }
  absl::Status fail(std::string_view what) const {
    return base::invalid_argument(fmt::format("weight_map.{}: {}", tensor_, what));
  }
  int depth_ = 0;
  bool in_map_ = false, map_seen_ = false;
  std::string section_, tensor_;
};

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> parse_safetensors_index(std::string_view json) {
  IndexReader reader;
  // {"weight_map": {tensor: shard}} is 2 deep; metadata beside it may nest a little.
  const base::JsonLimits limits{8, kIndexBytesMax};
  RETURN_IF_ERROR(base::read_json_events(json, reader, limits));
  if (reader.map.empty()) return base::invalid_argument("weight_map is missing or empty");
  return std::move(reader.map);
}

std::vector<std::span<const std::uint8_t>> SafetensorsModel::mappings() const {
  std::vector<std::span<const std::uint8_t>> all;
  for (const auto& file : files_) all.push_back(file.bytes());
  return all;
}

bool SafetensorsModel::is_model_folder(const std::string& folder) {
  std::error_code error;
  return std::filesystem::is_regular_file(folder + kSingle, error) ||
         std::filesystem::is_regular_file(folder + kIndex, error);
}

absl::StatusOr<std::unique_ptr<SafetensorsModel>> SafetensorsModel::open(const std::string& path) {
  auto model = std::make_unique<SafetensorsModel>();
  model->path_ = path;
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    RETURN_IF_ERROR(model->add_file(path, nullptr));
  } else if (std::filesystem::exists(path + kSingle, error)) {
    model->path_ += kSingle;
    RETURN_IF_ERROR(model->add_file(path + kSingle, nullptr));
  } else if (std::filesystem::exists(path + kIndex, error)) {
    RETURN_IF_ERROR(model->open_sharded(path, path + kIndex));
  } else {
    return base::not_found(path +
                           ": has neither model.safetensors nor model.safetensors.index.json");
  }
  return model;
}

absl::Status SafetensorsModel::add_file(const std::string& path, std::vector<std::string>* names) {
  ASSIGN_OR_RETURN(auto file, base::MappedFile::open(path));
  auto parsed = parse_safetensors(file.bytes());
  if (!parsed.ok()) return base::annotate(parsed.status(), path);
  for (auto& [name, tensor] : *parsed) {
    if (names != nullptr) names->push_back(name);
    if (!table_.emplace(name, std::move(tensor)).second) {
      return base::invalid_argument(
          fmt::format("{}: [safetensors] tensor {} is in another shard too", path, name));
    }
  }
  files_.push_back(std::move(file));
  return absl::OkStatus();
}

absl::Status SafetensorsModel::open_sharded(const std::string& folder,
                                            const std::string& index_path) {
  ASSIGN_OR_RETURN(const std::string text, base::read_file(index_path, kIndexBytesMax));
  const auto index = parse_safetensors_index(text);
  if (!index.ok()) return base::annotate(index.status(), index_path);
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : *index) shards.insert(shard);
  if (shards.size() > kShardsMax) {
    return base::invalid_argument(fmt::format("{} lists {} shards, more than the {} allowed",
                                              index_path, shards.size(), kShardsMax));
  }
  std::map<std::string, std::string, std::less<>> found_in;
  for (const auto& shard : shards) {
    std::vector<std::string> names;
    RETURN_IF_ERROR(add_file(folder + "/" + shard, &names));
    for (auto& name : names) found_in.emplace(std::move(name), shard);
  }
  for (const auto& [tensor, shard] : *index) {
    const auto found = found_in.find(tensor);
    if (found == found_in.end() || found->second != shard) {
      return base::invalid_argument(
          fmt::format("{}: [safetensors] tensor {} is not in {}, where the index puts it",
                      index_path, tensor, shard));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<const SafetensorsTensor*> SafetensorsModel::look_up(
    std::string_view name, const std::vector<std::int64_t>& shape) const {
  const auto found = table_.find(name);
  const auto fail = [&](std::string_view what) {
    return base::invalid_argument(fmt::format("{}: [safetensors] tensor {} {}", path_, name, what));
  };
  if (found == table_.end()) return fail("is missing");
  const auto& tensor = found->second;
  if (tensor.shape != shape) {
    return fail(fmt::format("at byte {} has shape [{}], expected [{}]", tensor.offset,
                            fmt::join(tensor.shape, ", "), fmt::join(shape, ", ")));
  }
  if (!tensor.dtype.has_value()) {
    return fail(fmt::format("at byte {} has type {}; F32, F16 and BF16 are supported",
                            tensor.offset, tensor.type));
  }
  return &tensor;
}

absl::StatusOr<tensor::MatrixView> SafetensorsModel::matrix(std::string_view name,
                                                            std::int64_t rows,
                                                            std::int64_t columns) const {
  ASSIGN_OR_RETURN(const auto* tensor, look_up(name, {rows, columns}));
  return tensor::MatrixView{tensor->data, *tensor->dtype, rows, columns};
}

absl::StatusOr<std::vector<float>> SafetensorsModel::vector(std::string_view name,
                                                            std::int64_t size) const {
  ASSIGN_OR_RETURN(const auto* tensor, look_up(name, {size}));
  std::vector<float> values(static_cast<std::size_t>(size));
  tensor::dequantize_row(*tensor->dtype, tensor->data, values.data(), size);
  return values;
}

}  // namespace plinth::model
