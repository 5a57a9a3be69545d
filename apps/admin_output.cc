#include "apps/admin_output.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "apps/table.h"

namespace plinth {

using Object = base::json::object;

std::string cell(const Object& object, std::string_view field) {
  const auto* value = object.if_contains(field);
  if (value == nullptr || value->is_null()) return "-";
  if (value->is_string()) return std::string(value->get_string());
  if (value->is_array()) {
    std::vector<std::string> parts;
    for (const auto& part : value->get_array()) parts.emplace_back(part.as_string());
    return fmt::format("{}", fmt::join(parts, ","));
  }
  return base::to_json(*value);
}

std::string time_cell(const Object& object, std::string_view field) {
  const auto* value = object.if_contains(field);
  if (value == nullptr || !value->is_int64()) return "-";
  return fmt::format("{:%Y-%m-%d %H:%M}",
                     fmt::gmtime(static_cast<std::time_t>(value->get_int64())));
}

absl::Status show_entries(bool json, const base::json::array& entries,
                          std::vector<std::string> titles,
                          const std::function<std::vector<std::string>(const Object&)>& row) {
  if (json) {
    fmt::print("{}\n", base::to_json(entries));
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows{std::move(titles)};
  for (const auto& entry : entries) rows.push_back(row(entry.as_object()));
  print_table(rows);
  return absl::OkStatus();
}

absl::Status tell_answer(bool json, const absl::StatusOr<Object>& answer,
                         const std::function<std::string(const Object&)>& sentence) {
  RETURN_IF_ERROR(answer.status());
  fmt::print("{}\n", json ? base::to_json(*answer) : sentence(*answer));
  return absl::OkStatus();
}

}  // namespace plinth
