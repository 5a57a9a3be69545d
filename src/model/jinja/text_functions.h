// Functions of strings: Python's methods and Jinja's filters.
#pragma once

#include <string>
#include <vector>

#include "model/jinja/value.h"

namespace plinth::model::jinja {

bool is_text_method(std::string_view name);
absl::StatusOr<Value> text_method(const Value& text, const std::string& name,
                                  const Arguments& arguments, std::size_t bytes_max);
bool is_text_filter(std::string_view name);
absl::StatusOr<Value> text_filter(const Value& input, const std::string& name,
                                  const Arguments& arguments, std::size_t bytes_max);

// Python's "%s of %d" % (a, b).
absl::StatusOr<Value> percent_format(const Value& format, const Value& values,
                                     std::size_t bytes_max);

// Where each character of well-formed UTF-8 begins, and the end.
std::vector<std::size_t> character_offsets(std::string_view text);
bool has_substring(const std::string& text, const std::string& needle);
std::string changed_case(std::string_view text, bool upper);

}  // namespace plinth::model::jinja
