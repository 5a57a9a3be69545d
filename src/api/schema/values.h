// Reads an object that has been validated; an absent or null field reads as its declared default.
#pragma once

#include <string_view>

#include "api/schema/schema.h"

namespace plinth::api {

// Holds references to the schema and the object. Reading a field that the schema does not declare
// is a defect of the caller and fails a CHECK.
class Values {
 public:
  Values(const Schema& schema, const base::json::object& object)
      : schema_(schema), object_(object) {}

  // Null where the client sent none (or null).
  const base::json::value* given(std::string_view name) const;
  // What was sent, else the default; null where there is neither.
  const base::json::value* find(std::string_view name) const;

  // The field must have a default or be required.
  bool boolean(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double number(std::string_view name) const;
  std::string_view string(std::string_view name) const;

 private:
  const base::json::value& must(std::string_view name) const;
  const Schema& schema_;
  const base::json::object& object_;
};

// An integer that may have been written as 3.0.
std::int64_t to_integer(const base::json::value& value);

}  // namespace plinth::api
