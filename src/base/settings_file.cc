// plinth.toml.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/settings.h"
#include "base/toml.h"

namespace plinth::base {

namespace {

// Messages by line, so that people fix a file from its top.
using Complaints = std::vector<std::pair<std::uint32_t, std::string>>;

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a fraction";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

// Nothing for what no setting may be.
std::optional<Settings::Value> value_of(const toml::node& node) {
  if (node.is_boolean()) return *node.value<bool>();
  if (node.is_integer()) return *node.value<std::int64_t>();
  if (node.is_string()) return *node.value<std::string>();
  const auto* array = node.as_array();
  if (array == nullptr) return std::nullopt;
  std::vector<std::string> items;
  for (const auto& item : *array) {
    if (!item.is_string()) return std::nullopt;
    items.push_back(*item.value<std::string>());
  }
  return items;
}

void read_node(const std::string& key, const toml::node& node, const std::string& file,
               Settings& settings, Complaints& complaints) {
  const auto line = node.source().begin.line;
  const std::string where = fmt::format("{}:{}", file, line);
  const auto& declared = declared_settings();
  const auto setting = std::find_if(declared.begin(), declared.end(),
                                    [&](const Setting& other) { return other.key == key; });
  auto value = value_of(node);
  if (setting != declared.end() &&
      (!value.has_value() || value->index() != static_cast<std::size_t>(setting->type))) {
    complaints.emplace_back(line, fmt::format("{}: {}: expected {}, got {}", where, key,
                                              setting->expected(), kind_of(node)));
    return;
  }
  const auto status = settings.set_value(key, value.has_value() ? *std::move(value) : "", where);
  if (!status.ok()) complaints.emplace_back(line, std::string(message(status)));
}

}  // namespace

absl::Status Settings::read_toml(std::string_view text, const std::string& file) {
  ASSIGN_OR_RETURN(const toml::table parsed, parse_toml(text, file));
  Settings changed = *this;
  Complaints complaints;
  for (const auto& [table, node] : parsed) {
    const std::string name(table.str());
    const auto* entries = node.as_table();
    if (entries == nullptr) {
      read_node(name, node, file, changed, complaints);
      continue;
    }
    for (const auto& [key, value] : *entries) {
      read_node(fmt::format("{}.{}", name, key.str()), value, file, changed, complaints);
    }
    const bool known =
        std::any_of(declared_settings().begin(), declared_settings().end(),
                    [&](const Setting& setting) { return setting.key.starts_with(name + "."); });
    if (entries->empty() && !known) {
      const auto line = node.source().begin.line;
      complaints.emplace_back(line, fmt::format("{}:{}: {}: no such table", file, line, name));
    }
  }
  if (complaints.empty()) {
    *this = std::move(changed);
    return absl::OkStatus();
  }
  std::sort(complaints.begin(), complaints.end());
  std::string all;
  for (const auto& complaint : complaints) all += (all.empty() ? "" : "\n") + complaint.second;
  return invalid_argument(all);
}

}  // namespace plinth::base
