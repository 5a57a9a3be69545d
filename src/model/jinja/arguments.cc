#include "model/jinja/arguments.h"

#include <algorithm>

namespace plinth::model::jinja {

const Value* argument(const Arguments& a, std::size_t index, std::string_view name) {
  if (index < a.positional.size()) return &a.positional[index];
  return a.named_value(name);
}

std::string text_argument(const Arguments& a, std::size_t index, std::string_view name,
                          std::string otherwise) {
  const Value* value = argument(a, index, name);
  return value == nullptr || value->is_none() ? std::move(otherwise) : value->str();
}

std::int64_t integer_argument(const Arguments& a, std::size_t index, std::string_view name,
                              std::int64_t otherwise) {
  const Value* value = argument(a, index, name);
  return value == nullptr || value->integer() == nullptr ? otherwise : *value->integer();
}

bool flag_argument(const Arguments& a, std::size_t index, std::string_view name, bool otherwise) {
  const Value* value = argument(a, index, name);
  return value == nullptr ? otherwise : value->truthy();
}

bool one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace plinth::model::jinja
