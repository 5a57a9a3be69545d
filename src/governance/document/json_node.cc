#include "governance/document/json_node.h"

#include <algorithm>

namespace plinth::governance {

namespace {

absl::Status wrong(std::string_view kind, std::string_view path, std::string_view what) {
  return base::invalid_argument(fmt::format("[{}] {}: {}", kind, path, what));
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

absl::StatusOr<JsonNode> JsonNode::of(std::string_view kind, const base::json::value& value,
                                      std::string path) {
  if (const auto* object = value.if_object()) return JsonNode(kind, *object, std::move(path));
  return wrong(kind, path.empty() ? "document" : path, "must be an object");
}

std::string JsonNode::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

const base::json::value* JsonNode::find(std::string_view key) const {
  const auto* value = object_->if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

absl::StatusOr<JsonNode> JsonNode::object(std::string_view key) const {
  const auto* value = find(key);
  if (value == nullptr) return bad(key, "is missing");
  return of(kind_, *value, path_of(key));
}

absl::Status JsonNode::check_keys(std::initializer_list<std::string_view> known) const {
  for (const auto& entry : *object_) {
    const std::string_view key = entry.key();
    if (std::find(known.begin(), known.end(), key) == known.end()) return bad(key, "is not known");
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> JsonNode::boolean(std::string_view key, bool otherwise) const {
  const auto* value = find(key);
  if (value == nullptr) return otherwise;
  if (const auto* flag = value->if_bool()) return *flag;
  return bad(key, "must be true or false");
}

absl::StatusOr<std::int64_t> JsonNode::integer(std::string_view key, std::int64_t min,
                                               std::int64_t max) const {
  const auto* value = find(key);
  if (value == nullptr) return bad(key, "is missing");
  const auto* number = value->if_int64();
  if (number != nullptr && *number >= min && *number <= max) return *number;
  return bad(key, fmt::format("must be a whole number from {} to {}", min, max));
}

absl::StatusOr<std::string> JsonNode::text(std::string_view key, std::size_t bytes_max) const {
  const auto* value = find(key);
  if (value == nullptr) return bad(key, "is missing");
  const auto* text = value->if_string();
  if (text == nullptr || text->empty()) return bad(key, "must be a text, not empty");
  if (text->size() > bytes_max) return bad(key, fmt::format("is over {} bytes", bytes_max));
  return std::string(*text);
}

absl::StatusOr<std::string> JsonNode::text(std::string_view key, std::size_t bytes_max,
                                           std::string_view otherwise) const {
  if (find(key) == nullptr) return std::string(otherwise);
  return text(key, bytes_max);
}

absl::Status JsonNode::bad(std::string_view key, std::string_view what) const {
  return wrong(kind_, path_of(key), what);
}

}  // namespace plinth::governance
