// Arguments of filters and methods by position or name.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "model/jinja/value.h"

namespace plinth::model::jinja {

inline absl::Status wrong(std::string_view what) {
  return base::invalid_argument(fmt::format("[template] {}", what));
}
inline absl::Status too_much(std::string_view what) {
  return base::resource_exhausted(fmt::format("[template] {} makes too much text", what));
}

// Null where it is not given.
const Value* argument(const Arguments& a, std::size_t index, std::string_view name);
// `otherwise` where it is not given or none.
std::string text_argument(const Arguments& a, std::size_t index, std::string_view name,
                          std::string otherwise);
std::int64_t integer_argument(const Arguments& a, std::size_t index, std::string_view name,
                              std::int64_t otherwise);
bool flag_argument(const Arguments& a, std::size_t index, std::string_view name, bool otherwise);

bool one_of(std::string_view name, std::initializer_list<std::string_view> names);

}  // namespace plinth::model::jinja
