// Filters over lists and dicts, and numbers.
#pragma once

#include <string>

#include "model/jinja/value.h"

namespace plinth::model::jinja {

bool is_list_filter(std::string_view name);
absl::StatusOr<Value> list_filter(const Value& input, const std::string& name,
                                  const Arguments& arguments, std::size_t bytes_max);
bool is_number_filter(std::string_view name);
absl::StatusOr<Value> number_filter(const Value& input, const std::string& name,
                                    const Arguments& arguments);
// Key and value pairs, as tuples.
Value items_list(const Value& dict);
// A key of `dict` as a Value that knows where it came from.
Value key_of(const Value& dict, const std::string& key);

}  // namespace plinth::model::jinja
