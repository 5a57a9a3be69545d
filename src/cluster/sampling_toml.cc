#include "cluster/sampling_toml.h"

#include <fmt/format.h>

namespace plinth::cluster {

absl::StatusOr<protocol::SamplingDefaults> read_sampling_table(const toml::table& model) {
  protocol::SamplingDefaults defaults;
  const auto* node = model.get("sampling");
  if (node == nullptr) return defaults;
  const auto* table = node->as_table();
  if (table == nullptr) return base::invalid_argument("sampling: not a table");
  for (const auto& [key, value] : *table) {
    const std::string name(key.str());
    const auto number = value.value<double>();
    if (!number.has_value()) return base::invalid_argument("sampling." + name + ": not a number");
    RETURN_IF_ERROR(protocol::check_sampling_default(name, *number));
    defaults.emplace(name, *number);
  }
  return defaults;
}

std::string sampling_text(const protocol::SamplingDefaults& defaults) {
  std::string text;
  for (const auto& [name, value] : defaults) text += fmt::format("{} = {}\n", name, value);
  return text.empty() ? text : "\n[sampling]\n" + text;
}

}  // namespace plinth::cluster
