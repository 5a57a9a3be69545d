#include "model/tokenize/json_fields.h"

#include <fmt/format.h>

namespace plinth::model {

namespace {

boost::json::string_view key(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

absl::Status JsonField::wrong(std::string_view what) const {
  return base::invalid_argument(
      fmt::format("[tokenizer] {}: {}", path_.empty() ? "document" : path_, what));
}

absl::Status JsonField::expect_object() const {
  return value_->is_object() ? absl::OkStatus() : wrong("is not an object");
}

std::optional<JsonField> JsonField::member(std::string_view name) const {
  const auto* object = value_->if_object();
  const auto* found = object == nullptr ? nullptr : object->if_contains(key(name));
  if (found == nullptr || found->is_null()) return std::nullopt;
  return JsonField(*found, path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name));
}

absl::StatusOr<JsonField> JsonField::required(std::string_view name) const {
  auto found = member(name);
  if (!found) return wrong(fmt::format("{} is missing", name));
  return *std::move(found);
}

absl::StatusOr<JsonField> JsonField::element(std::size_t index) const {
  ASSIGN_OR_RETURN(const auto* items, array());
  if (index >= items->size()) return wrong(fmt::format("has no element {}", index));
  return JsonField((*items)[index], fmt::format("{}[{}]", path_, index));
}

absl::StatusOr<const base::json::array*> JsonField::array() const {
  const auto* items = value_->if_array();
  if (items == nullptr) return wrong("is not an array");
  return items;
}

absl::StatusOr<std::string> JsonField::text() const {
  const auto* string = value_->if_string();
  if (string == nullptr) return wrong("is not a string");
  return std::string(*string);
}

absl::StatusOr<std::int64_t> JsonField::integer() const {
  const auto* number = value_->if_int64();
  if (number == nullptr) return wrong("is not an integer");
  return *number;
}

absl::StatusOr<bool> JsonField::flag(std::string_view name, bool otherwise) const {
  const auto field = member(name);
  if (!field) return otherwise;
  if (!field->value().is_bool()) return field->wrong("is not true or false");
  return field->value().get_bool();
}

absl::StatusOr<std::string> JsonField::text(std::string_view name, std::string otherwise) const {
  const auto field = member(name);
  return field ? field->text() : absl::StatusOr<std::string>(std::move(otherwise));
}

absl::StatusOr<std::int64_t> JsonField::integer(std::string_view name,
                                                std::int64_t otherwise) const {
  const auto field = member(name);
  return field ? field->integer() : absl::StatusOr<std::int64_t>(otherwise);
}

}  // namespace plinth::model
