// Filters, tests and methods by name. Attributes that Jinja's sandbox forbids (those with
// underscores, and methods that change a list or a dict) are not there.
#pragma once

#include <string>

#include "model/jinja/value.h"

namespace plinth::model::jinja {

// InvalidArgument names a filter, test or method that is not known. `bytes_max` bounds what a
// filter may make.
absl::StatusOr<Value> apply_filter(const std::string& name, const Value& input,
                                   const Arguments& arguments, std::size_t bytes_max);
absl::StatusOr<bool> apply_test(const std::string& name, const Value& input,
                                const Arguments& arguments);
// An undefined value where the type has no such method.
Value method_of(const Value& object, const std::string& name, std::size_t bytes_max);

// What a for loop walks over: a list's items, a dict's keys, a string's characters.
absl::StatusOr<List> items_of(const Value& value);
absl::StatusOr<bool> contains(const Value& container, const Value& item);
// -1, 0 or 1; InvalidArgument for kinds that have no order.
absl::StatusOr<int> compare(const Value& a, const Value& b, int depth = 0);

}  // namespace plinth::model::jinja
