// Reads members of documents that others wrote.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "base/json.h"

namespace plinth::governance {

inline std::string_view view(const base::json::string& text) { return {text.data(), text.size()}; }

// The string member `name`; empty where it is absent or no string.
inline std::string text_member(const base::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return "";
  return std::string(view(value->get_string()));
}

// Whether the list `name` holds the string `text`.
inline bool lists(const base::json::object& object, std::string_view name, std::string_view text) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_array()) return false;
  const auto& items = value->get_array();
  return std::any_of(items.begin(), items.end(), [&](const auto& item) {
    return item.is_string() && view(item.get_string()) == text;
  });
}

}  // namespace plinth::governance
