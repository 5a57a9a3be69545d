#include "api/schema/values.h"

#include "base/check.h"

namespace plinth::api {

std::int64_t to_integer(const base::json::value& value) {
  return value.is_int64() ? value.get_int64()
                          : static_cast<std::int64_t>(value.to_number<double>());
}

const base::json::value* Values::given(std::string_view name) const {
  CHECK(schema_.field(name) != nullptr);
  const auto* value = object_.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

const base::json::value* Values::find(std::string_view name) const {
  if (const auto* value = given(name)) return value;
  const auto& fallback = schema_.field(name)->schema.fallback;
  return fallback ? &*fallback : nullptr;
}

const base::json::value& Values::must(std::string_view name) const {
  const auto* value = find(name);
  CHECK(value != nullptr);
  return *value;
}

bool Values::boolean(std::string_view name) const { return must(name).get_bool(); }
std::int64_t Values::integer(std::string_view name) const { return to_integer(must(name)); }
double Values::number(std::string_view name) const { return must(name).to_number<double>(); }
std::string_view Values::string(std::string_view name) const { return must(name).get_string(); }

}  // namespace plinth::api
