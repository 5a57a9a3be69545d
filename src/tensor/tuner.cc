#include "tensor/tuner.h"

#include <cpuid.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "base/json.h"
#include "tensor/limits.h"

namespace plinth::tensor {

namespace {

constexpr int kRounds = 3;
constexpr double kWorthwhile = 0.98;
constexpr int kVersion = 1;

absl::StatusOr<Blocking> read_blocking(const base::json::value& value) {
  const auto* object = value.if_object();
  const auto number = [&](const char* key) -> std::int64_t {
    const auto* found = object == nullptr ? nullptr : object->if_contains(key);
    return found != nullptr && found->is_int64() ? found->get_int64() : 0;
  };
  const auto tokens = number("slab_tokens"), bytes = number("range_bytes");
  if (tokens < 16 || tokens > kSlabTokensMax || tokens % 16 != 0 || bytes < 1024 ||
      bytes > kRangeBytesMax) {
    return base::invalid_argument("a blocking is out of bounds");
  }
  return Blocking{static_cast<int>(tokens), bytes};
}

}  // namespace

Blocking Tuner::choose(const std::string& shape, absl::FunctionRef<void(const Blocking&)> run) {
  if (const auto known = table_.find(shape); known != table_.end()) return known->second;
  ++measured_;
  return table_[shape] = measure(run);
}

Blocking Tuner::measure(absl::FunctionRef<void(const Blocking&)> run) const {
  constexpr auto kCount = std::size(kBlockings);
  base::Duration best[kCount];
  std::fill(std::begin(best), std::end(best), base::Duration::max());
  run(kBlockings[0]);  // its memory is touched and the threads are awake
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < kCount; ++i) {
      const auto start = clock_.now();
      run(kBlockings[i]);
      best[i] = std::min(best[i], clock_.now() - start);
    }
  }
  const auto fastest = std::min_element(std::begin(best), std::end(best)) - std::begin(best);
  const bool better = static_cast<double>(best[fastest].count()) <
                      static_cast<double>(best[0].count()) * kWorthwhile;
  return kBlockings[better ? fastest : 0];
}

std::string write_tuning(const BlockingTable& table, std::string_view processor) {
  base::json::object shapes;
  for (const auto& [shape, blocking] : table) {
    shapes[shape] = {{"slab_tokens", blocking.slab_tokens}, {"range_bytes", blocking.range_bytes}};
  }
  return base::to_json({{"version", kVersion}, {"processor", processor}, {"shapes", shapes}});
}

absl::StatusOr<BlockingTable> read_tuning(std::string_view text, std::string_view processor) {
  ASSIGN_OR_RETURN(const auto document, base::parse_json(text));
  const auto* object = document.if_object();
  const auto field = [&](const char* key) {
    return object == nullptr ? nullptr : object->if_contains(key);
  };
  const auto *version = field("version"), *owner = field("processor"), *shapes = field("shapes");
  if (version == nullptr || *version != base::json::value(kVersion) || owner == nullptr ||
      !owner->is_string() || shapes == nullptr || !shapes->is_object()) {
    return base::invalid_argument("no tuning of this version");
  }
  if (owner->get_string() != processor) {
    return base::failed_precondition(
        fmt::format("it is of another processor: {}", std::string_view(owner->get_string())));
  }
  BlockingTable table;
  for (const auto& shape : shapes->get_object()) {
    ASSIGN_OR_RETURN(table[shape.key()], read_blocking(shape.value()));
  }
  return table;
}

std::string processor_name() {
  constexpr unsigned kBrandFirst = 0x80000002, kBrandLast = 0x80000004;
  std::string brand;
  for (unsigned leaf = kBrandFirst; leaf <= kBrandLast; ++leaf) {
    unsigned words[4] = {};
    if (__get_cpuid(leaf, &words[0], &words[1], &words[2], &words[3]) == 0) break;
    brand.append(reinterpret_cast<const char*>(words), sizeof words);
  }
  // It is padded with zeros.
  if (const auto end = brand.find('\0'); end != std::string::npos) brand.resize(end);
  while (!brand.empty() && brand.back() == ' ') brand.pop_back();
  return fmt::format("{}, caches {} {} {}", brand, ::sysconf(_SC_LEVEL1_DCACHE_SIZE),
                     ::sysconf(_SC_LEVEL2_CACHE_SIZE), ::sysconf(_SC_LEVEL3_CACHE_SIZE));
}

}  // namespace plinth::tensor
