// Reads documents that administrators write, field by field; errors name the path of the field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/json.h"
#include "base/status.h"

namespace plinth::governance {

// A word of a document and what it stands for.
template <typename T>
struct NamedValue {
  std::string_view name;
  T value;
};

// Azure's documents write Selfharm and SelfHarm, default and Default.
bool same_name(std::string_view a, std::string_view b);

template <typename T, std::size_t n>
std::optional<T> find_value(const NamedValue<T> (&names)[n], std::string_view name) {
  for (const auto& [known, value] : names) {
    if (same_name(known, name)) return value;
  }
  return std::nullopt;
}

template <typename T, std::size_t n>
std::string_view find_name(const NamedValue<T> (&names)[n], T value) {
  for (const auto& [name, known] : names) {
    if (known == value) return name;
  }
  return {};
}

// An object of a document and its path. Holds a reference to it.
class JsonNode {
 public:
  // `kind` begins every error: "content policy".
  static absl::StatusOr<JsonNode> of(std::string_view kind, const base::json::value& value,
                                     std::string path = "");

  std::string path_of(std::string_view key) const;
  // Null where the field is absent or null.
  const base::json::value* find(std::string_view key) const;
  absl::StatusOr<JsonNode> object(std::string_view key) const;
  absl::Status check_keys(std::initializer_list<std::string_view> known) const;
  absl::StatusOr<bool> boolean(std::string_view key, bool otherwise) const;
  absl::StatusOr<std::int64_t> integer(std::string_view key, std::int64_t min,
                                       std::int64_t max) const;
  // Not empty.
  absl::StatusOr<std::string> text(std::string_view key, std::size_t bytes_max) const;
  // The same, `otherwise` where it is absent.
  absl::StatusOr<std::string> text(std::string_view key, std::size_t bytes_max,
                                   std::string_view otherwise) const;

  template <typename T, std::size_t n>
  absl::StatusOr<T> one_of(std::string_view key, const NamedValue<T> (&names)[n]) const {
    ASSIGN_OR_RETURN(const std::string said, text(key, kWordBytesMax));
    if (const auto value = find_value(names, said)) return *value;
    std::string known;
    for (const auto& [name, value] : names) fmt::format_to(std::back_inserter(known), " {}", name);
    return bad(key, fmt::format("\"{}\" is none of{}", said, known));
  }
  // Calls visit(JsonNode) for each object of the array, if there is one.
  template <typename Visit>
  absl::Status for_each(std::string_view key, std::size_t count_max, const Visit& visit) const {
    const base::json::value* value = find(key);
    if (value == nullptr) return absl::OkStatus();
    const auto* array = value->if_array();
    if (array == nullptr) return bad(key, "must be an array");
    if (array->size() > count_max) return bad(key, fmt::format("has over {} entries", count_max));
    for (std::size_t i = 0; i < array->size(); ++i) {
      ASSIGN_OR_RETURN(const JsonNode node,
                       of(kind_, (*array)[i], fmt::format("{}[{}]", path_of(key), i)));
      RETURN_IF_ERROR(visit(node));
    }
    return absl::OkStatus();
  }

  // InvalidArgument: "[content policy] properties.mode: is missing".
  absl::Status bad(std::string_view key, std::string_view what) const;

 private:
  // Longer than every word that documents know.
  static constexpr std::size_t kWordBytesMax = 128;

  JsonNode(std::string_view kind, const base::json::object& object, std::string path)
      : kind_(kind), object_(&object), path_(std::move(path)) {}

  std::string_view kind_;
  const base::json::object* object_;
  std::string path_;
};

}  // namespace plinth::governance
