#include "model/hf/hf_fields.h"

#include <fmt/format.h>

#include <cmath>

#include "model/limits.h"

namespace plinth::model {

namespace json = base::json;

const json::value* HfFields::find(std::string_view name) const {
  const auto* value = object_.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

absl::Status HfFields::wrong(std::string_view name, std::string_view wanted) const {
  const auto* value = find(name);
  std::string found = value == nullptr ? "missing" : base::to_json(*value);
  constexpr std::size_t kShown = 60;
  if (found.size() > kShown) found = found.substr(0, kShown) + "...";
  return base::invalid_argument(fmt::format("{}{} is {}, not {}", path_, name, found, wanted));
}

absl::StatusOr<std::int32_t> HfFields::count(std::string_view name, std::int64_t max) const {
  const auto* value = find(name);
  std::int64_t number = 0;
  if (value != nullptr && value->is_int64()) number = value->as_int64();
  if (number < 1 || number > max) return wrong(name, fmt::format("a whole number in 1..{}", max));
  return static_cast<std::int32_t>(number);
}

absl::StatusOr<std::int32_t> HfFields::count_or(std::string_view name, std::int64_t max,
                                                std::int32_t otherwise) const {
  return has(name) ? count(name, max) : otherwise;
}

absl::StatusOr<double> HfFields::number_or(std::string_view name, double min, double max,
                                           double otherwise) const {
  const auto* value = find(name);
  if (value == nullptr) return otherwise;
  const double number = value->is_number() ? value->to_number<double>() : std::nan("");
  if (!(number > min && number <= max)) {
    return wrong(name, fmt::format("a number in ({}, {}]", min, max));
  }
  return number;
}

absl::StatusOr<bool> HfFields::flag_or(std::string_view name, bool otherwise) const {
  const auto* value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_bool()) return wrong(name, "true or false");
  return value->as_bool();
}

absl::StatusOr<std::string> HfFields::text_or(std::string_view name, std::string otherwise) const {
  const auto* value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_string()) return wrong(name, "a string");
  return std::string(value->as_string());
}

absl::StatusOr<std::vector<double>> HfFields::numbers_or_empty(std::string_view name) const {
  std::vector<double> numbers;
  const auto* value = find(name);
  if (value == nullptr) return numbers;
  if (!value->is_array() || static_cast<std::int64_t>(value->as_array().size()) > kWidthMax) {
    return wrong(name, "a list of numbers");
  }
  for (const auto& item : value->as_array()) {
    if (!item.is_number()) return wrong(name, "a list of numbers");
    numbers.push_back(item.to_number<double>());
  }
  return numbers;
}

}  // namespace plinth::model
