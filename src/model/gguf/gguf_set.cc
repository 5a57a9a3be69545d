#include "model/gguf/gguf_set.h"

#include <fmt/format.h>

#include "model/limits.h"

namespace plinth::model {

namespace {

constexpr char kNo[] = "split.no", kCount[] = "split.count", kTensors[] = "split.tensors.count";

absl::StatusOr<Gguf> map_one(const std::string& path, GgufSet& set) {
  ASSIGN_OR_RETURN(auto mapping, base::MappedFile::open(path));
  auto table = parse_gguf(mapping.bytes());
  if (!table.ok()) return base::annotate(table.status(), path);
  set.files.push_back(std::move(mapping));
  return table;
}

// The shard's number or their count; 0 where the key is absent.
absl::StatusOr<std::int64_t> split_integer(const Gguf& table, const char* key) {
  if (!table.metadata.contains(key)) return 0;
  return table.integer(key);
}

std::string suffix(std::int64_t shard, std::int64_t count) {
  return fmt::format("-{:05}-of-{:05}.gguf", shard + 1, count);
}

absl::Status check_shard(const Gguf& table, std::int64_t shard, std::int64_t count) {
  ASSIGN_OR_RETURN(const auto no, table.integer(kNo));
  ASSIGN_OR_RETURN(const auto of, table.integer(kCount));
  if (no == shard && of == count) return absl::OkStatus();
  return base::invalid_argument(
      fmt::format("[gguf] says it is shard {} of {}, not {} of {}", no + 1, of, shard + 1, count));
}

absl::Status add_shards(const std::string& path, std::int64_t count, GgufSet& set) {
  const std::string first = suffix(0, count);
  if (!path.ends_with(first)) {
    return base::invalid_argument(fmt::format(
        "{}: [gguf] is the first of {} shards, so its name must end in {}", path, count, first));
  }
  const std::string stem = path.substr(0, path.size() - first.size());
  for (std::int64_t shard = 1; shard < count; ++shard) {
    const std::string other = stem + suffix(shard, count);
    ASSIGN_OR_RETURN(auto table, map_one(other, set));
    RETURN_IF_ERROR(base::annotate(check_shard(table, shard, count), other));
    for (auto& [name, tensor] : table.tensors) {
      if (!set.table.tensors.emplace(name, std::move(tensor)).second) {
        return base::invalid_argument(
            fmt::format("{}: [gguf] tensor {} is in another shard too", other, name));
      }
    }
  }
  ASSIGN_OR_RETURN(const auto total, set.table.integer(kTensors));
  if (total != static_cast<std::int64_t>(set.table.tensors.size())) {
    return base::invalid_argument(fmt::format("{}: [gguf] {} is {}, but the shards hold {}", path,
                                              kTensors, total, set.table.tensors.size()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<GgufSet>> open_gguf(const std::string& path) {
  auto set = std::make_unique<GgufSet>();
  ASSIGN_OR_RETURN(set->table, map_one(path, *set));
  const auto no = split_integer(set->table, kNo);
  if (!no.ok()) return base::annotate(no.status(), path);
  const auto count = split_integer(set->table, kCount);
  if (!count.ok()) return base::annotate(count.status(), path);
  if (*count < 0 || *count > static_cast<std::int64_t>(kShardsMax)) {
    return base::invalid_argument(
        fmt::format("{}: [gguf] {} is {}, not in 0..{}", path, kCount, *count, kShardsMax));
  }
  if (*count <= 1) return set;
  if (*no != 0) {
    return base::invalid_argument(
        fmt::format("{}: [gguf] is shard {} of {}; open the one that ends in {}", path, *no + 1,
                    *count, suffix(0, *count)));
  }
  const auto status = add_shards(path, *count, *set);
  if (!status.ok()) return status;
  return set;
}

}  // namespace plinth::model
