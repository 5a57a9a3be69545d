#include "model/suggested_sampling.h"

#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "model/gguf/gguf_set.h"
#include "model/limits.h"

namespace plinth::model {

namespace {

using Suggestions = std::map<std::string, double, std::less<>>;

// The request's name, transformers' and GGUF's.
struct Name {
  const char* request;
  const char* config;
  const char* gguf;
};
constexpr Name kNames[] = {
    {"temperature", "temperature", "general.sampling.temp"},
    {"top_p", "top_p", "general.sampling.top_p"},
    {"top_k", "top_k", "general.sampling.top_k"},
    {"min_p", "min_p", "general.sampling.min_p"},
    {"typical_p", "typical_p", nullptr},
    {"repetition_penalty", "repetition_penalty", "general.sampling.penalty_repeat"},
};

absl::StatusOr<Suggestions> of_gguf(const std::string& path) {
  ASSIGN_OR_RETURN(const auto set, open_gguf(path));
  Suggestions found;
  for (const auto& name : kNames) {
    if (name.gguf == nullptr) continue;
    const auto value = set->table.number(name.gguf);
    // Stored as fp32: what was written as 0.2 should not become 0.20000000298.
    if (value.ok()) found.emplace(name.request, std::round(*value * 1e6) / 1e6);
  }
  return found;
}

absl::StatusOr<Suggestions> of_folder(const std::string& path) {
  const std::string file = path + "/generation_config.json";
  const auto text = base::read_file(file, kConfigBytesMax);
  if (absl::IsNotFound(text.status())) return Suggestions{};
  RETURN_IF_ERROR(text.status());
  const auto config = base::parse_json(*text);
  if (!config.ok()) return base::annotate(config.status(), file);
  Suggestions found;
  const auto* fields = config->if_object();
  for (const auto& name : kNames) {
    const auto* value = fields == nullptr ? nullptr : fields->if_contains(name.config);
    if (value != nullptr && value->is_number()) {
      found.emplace(name.request, value->to_number<double>());
    }
  }
  return found;
}

}  // namespace

absl::StatusOr<Suggestions> suggested_sampling(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error) ? of_folder(path) : of_gguf(path);
}

}  // namespace plinth::model
