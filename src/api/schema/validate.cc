#include "api/schema/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "api/error_map.h"

namespace plinth::api {

namespace {

using base::json::value;

std::string_view name_of(const value& given) {
  switch (given.kind()) {
    case base::json::kind::null:
      return "null";
    case base::json::kind::bool_:
      return "a boolean";
    case base::json::kind::int64:
    case base::json::kind::uint64:
      return "an integer";
    case base::json::kind::double_:
      return "a decimal number";
    case base::json::kind::string:
      return "a string";
    case base::json::kind::array:
      return "an array";
    case base::json::kind::object:
      return "an object";
  }
  return "unknown";
}

std::string plural_of(const Schema& schema) {
  switch (schema.kind) {
    case Kind::any:
      return "values";
    case Kind::boolean:
      return "booleans";
    case Kind::integer:
      return "integers";
    case Kind::number:
      return "decimals";
    case Kind::string:
      return "strings";
    case Kind::array:
      return "arrays of " + plural_of(schema.parts[0]);
    case Kind::object:
    case Kind::map:
      return "objects";
    case Kind::one_of:
      return plural_of(schema.parts[0]);
  }
  return "values";
}

// "a string", "an array of objects", "one of a string or array of objects".
std::string wanted(const Schema& schema) {
  switch (schema.kind) {
    case Kind::any:
      return "a value";
    case Kind::boolean:
      return "a boolean";
    case Kind::integer:
      return "an integer";
    case Kind::number:
      return "a decimal";
    case Kind::string:
      return "a string";
    case Kind::array:
      return "an array of " + plural_of(schema.parts[0]);
    case Kind::object:
    case Kind::map:
      return "an object";
    case Kind::one_of:
      break;
  }
  if (!schema.tag.empty()) return "an object";
  std::string text = "one of " + wanted(schema.parts[0]);
  for (std::size_t i = 1; i < schema.parts.size(); ++i) {
    const std::string next = wanted(schema.parts[i]);
    text += (i + 1 == schema.parts.size() ? " or " : ", ") + next.substr(next.find(' ') + 1);
  }
  return text;
}

absl::Status wrong_type(const std::string& path, const Schema& schema, const value& given) {
  return parameter_error(fmt::format("Invalid type for '{}': expected {}, but got {} instead.",
                                     path, wanted(schema), name_of(given)),
                         path, "invalid_type");
}

absl::Status missing(const std::string& path) {
  return parameter_error(fmt::format("Missing required parameter: '{}'.", path), path,
                         "missing_required_parameter");
}

absl::Status wrong_value(const std::string& path, std::string_view given,
                         const std::vector<std::string>& values) {
  std::string list;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) list += values.size() == 2 ? " and " : i + 1 == values.size() ? ", and " : ", ";
    list += "'" + values[i] + "'";
  }
  const char* are = values.size() == 1 ? "The only supported value is" : "Supported values are";
  return parameter_error(fmt::format("Invalid value: '{}'. {}: {}.", given, are, list), path,
                         "invalid_value");
}

template <typename T>
absl::Status check_range(const std::string& path, std::string_view kind, T given, T min, T max,
                         bool terse) {
  if (given >= min && given <= max) return absl::OkStatus();
  const bool low = given < min;
  const T bound = low ? min : max;
  const std::string code = fmt::format("{}_{}_value", kind, low ? "below_min" : "above_max");
  if (terse) {
    return parameter_error(
        fmt::format("{} is {} of {} - '{}'", given,
                    low ? "less than the minimum" : "greater than the maximum", bound, path),
        path, code);
  }
  return parameter_error(
      fmt::format("Invalid '{}': {} {} value. Expected a value {} {}, but got {} instead.", path,
                  kind, low ? "below minimum" : "above maximum", low ? ">=" : "<=", bound, given),
      path, code);
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

// noun: "string", "array"; as in "array too long".
absl::Status check_length(const std::string& path, const Schema& schema, std::string_view noun,
                          std::size_t length) {
  const std::string_view article = noun == "string" ? "a" : "an";
  if (length < schema.length_min) {
    if (length == 0) {
      return parameter_error(
          fmt::format("Invalid '{}': empty {}. Expected {} {} with minimum length {}, but got an "
                      "empty {} instead.",
                      path, noun, article, noun, schema.length_min, noun),
          path, fmt::format("empty_{}", noun));
    }
    return parameter_error(
        fmt::format("Invalid '{}': {} too short. Expected {} {} with minimum length {}, but got "
                    "{} {} with length {} instead.",
                    path, noun, article, noun, schema.length_min, article, noun, length),
        path, fmt::format("{}_below_min_length", noun));
  }
  if (length > schema.length_max) {
    return parameter_error(
        fmt::format("Invalid '{}': {} too long. Expected {} {} with maximum length {}, but got "
                    "{} {} with length {} instead.",
                    path, noun, article, noun, schema.length_max, article, noun, length),
        path, fmt::format("{}_above_max_length", noun));
  }
  return absl::OkStatus();
}

bool is_integer(const value& given) {
  return given.is_int64() || given.is_uint64() ||
         (given.is_double() && std::floor(given.get_double()) == given.get_double());
}

// Whether the JSON type, and for arrays that of the first item, is this alternative's.
bool has_shape(const Schema& schema, const value& given) {
  switch (schema.kind) {
    case Kind::any:
      return true;
    case Kind::boolean:
      return given.is_bool();
    case Kind::integer:
      return given.is_number() && is_integer(given);
    case Kind::number:
      return given.is_number();
    case Kind::string:
      return given.is_string();
    case Kind::array:
      return given.is_array() &&
             (given.get_array().empty() || has_shape(schema.parts[0], given.get_array()[0]));
    case Kind::object:
    case Kind::map:
      return given.is_object();
    case Kind::one_of:
      return std::any_of(schema.parts.begin(), schema.parts.end(),
                         [&](const Schema& part) { return has_shape(part, given); });
  }
  return false;
}

class Validator {
 public:
  explicit Validator(const ValidateOptions& options) : options_(options) {}

  absl::Status check(const Schema& schema, const value& given, const std::string& path,
                     bool terse) const {
    if (given.is_null() && schema.null_allowed) return absl::OkStatus();
    switch (schema.kind) {
      case Kind::any:
        return absl::OkStatus();
      case Kind::boolean:
        return given.is_bool() ? absl::OkStatus() : wrong_type(path, schema, given);
      case Kind::integer:
        return integer(schema, given, path, terse);
      case Kind::number:
        if (!given.is_number()) return wrong_type(path, schema, given);
        return check_range(path, "decimal", given.to_number<double>(), schema.number_min,
                           schema.number_max, terse);
      case Kind::string:
        return string(schema, given, path);
      case Kind::array:
        return array(schema, given, path);
      case Kind::map:
        return map(schema, given, path);
      case Kind::object:
        return object(schema, given, path);
      case Kind::one_of:
        return schema.tag.empty() ? one_of(schema, given, path) : tagged(schema, given, path);
    }
    return absl::OkStatus();
  }

 private:
  static absl::Status integer(const Schema& schema, const value& given, const std::string& path,
                              bool terse) {
    if (!given.is_number() || !is_integer(given)) return wrong_type(path, schema, given);
    if (given.is_int64())
      return check_range(path, "integer", given.get_int64(), schema.integer_min, schema.integer_max,
                         terse);
    if (given.is_uint64())
      return check_range<std::uint64_t>(path, "integer", given.get_uint64(), 0,
                                        static_cast<std::uint64_t>(schema.integer_max), terse);
    const double number = given.get_double();
    // -2^63 as a double may have been a smaller integer, which was rounded when it was parsed.
    const double low = std::nextafter(-0x1p63, 0), high = std::nextafter(0x1p63, 0);
    if (number >= low && number <= high)
      return check_range(path, "integer", static_cast<std::int64_t>(number), schema.integer_min,
                         schema.integer_max, terse);
    return check_range(path, "integer", number, low, high, terse);
  }

  static absl::Status string(const Schema& schema, const value& given, const std::string& path) {
    if (!given.is_string()) return wrong_type(path, schema, given);
    const std::string_view text = given.get_string();
    if (!schema.values.empty()) {
      const bool known =
          std::find(schema.values.begin(), schema.values.end(), text) != schema.values.end();
      return known ? absl::OkStatus() : wrong_value(path, text, schema.values);
    }
    if (text.size() < schema.length_min || text.size() > schema.length_max)
      return check_length(path, schema, "string", characters(text));
    return absl::OkStatus();
  }

  absl::Status array(const Schema& schema, const value& given, const std::string& path) const {
    if (!given.is_array()) return wrong_type(path, schema, given);
    const auto& items = given.get_array();
    RETURN_IF_ERROR(check_length(path, schema, "array", items.size()));
    // Token prompts have millions of items: their paths are written only where one is wrong.
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (schema.parts[0].kind == Kind::integer && items[i].is_int64() &&
          items[i].get_int64() >= schema.parts[0].integer_min &&
          items[i].get_int64() <= schema.parts[0].integer_max)
        continue;
      RETURN_IF_ERROR(check(schema.parts[0], items[i], fmt::format("{}[{}]", path, i), false));
    }
    return absl::OkStatus();
  }

  absl::Status map(const Schema& schema, const value& given, const std::string& path) const {
    if (!given.is_object()) return wrong_type(path, schema, given);
    const auto& entries = given.get_object();
    if (entries.size() > schema.length_max) {
      return parameter_error(
          fmt::format("Invalid '{}': too many properties. Expected an object with at most {} "
                      "properties, but got an object with {} properties instead.",
                      path, schema.length_max, entries.size()),
          path, "object_above_max_properties");
    }
    for (const auto& [key, entry] : entries) {
      const std::string_view name = key;
      const bool digits =
          !name.empty() && name.size() <= 10 &&
          std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
      if (schema.token_keys && !digits) {
        return parameter_error(
            fmt::format("Invalid key in '{}': {}. You should only be submitting token ids.", path,
                        name),
            path, "invalid_value");
      }
      RETURN_IF_ERROR(check(schema.parts[0], entry, fmt::format("{}.{}", path, name), false));
    }
    return absl::OkStatus();
  }

  absl::Status object(const Schema& schema, const value& given, const std::string& path) const {
    if (!given.is_object()) return wrong_type(path, schema, given);
    const auto& object = given.get_object();
    const std::string prefix = path.empty() ? "" : path + ".";
    const bool request = options_.direction == Direction::request;
    for (const Field& field : schema.fields) {
      const auto* entry = object.if_contains(field.name);
      const bool absent =
          entry == nullptr || (request && entry->is_null() && !field.schema.null_allowed);
      if (absent) {
        if (field.required) return missing(prefix + field.name);
        continue;
      }
      if (field.support == Support::unsupported) {
        RETURN_IF_ERROR(refuse(field, *entry, prefix + field.name));
        continue;
      }
      RETURN_IF_ERROR(check(field.schema, *entry, prefix + field.name, schema.terse_ranges));
    }
    return options_.ignore_unknown_fields ? absl::OkStatus() : unknown(schema, object, prefix);
  }

  static absl::Status refuse(const Field& field, const value& given, const std::string& path) {
    if (std::find(field.no_op.begin(), field.no_op.end(), given) != field.no_op.end())
      return absl::OkStatus();
    return parameter_error(
        fmt::format("Unsupported parameter: '{}' is not supported: {}.", path, field.reason), path,
        "unsupported_parameter");
  }

  static absl::Status unknown(const Schema& schema, const base::json::object& object,
                              const std::string& prefix) {
    for (const auto& [key, entry] : object) {
      const std::string_view name = key;
      if (schema.field(name) != nullptr) continue;
      if (prefix.empty())
        return base::invalid_argument(
            fmt::format("Unrecognized request argument supplied: {}", name));
      return parameter_error(fmt::format("Unknown parameter: '{}{}'.", prefix, name),
                             fmt::format("{}{}", prefix, name), "unknown_parameter");
    }
    return absl::OkStatus();
  }

  absl::Status one_of(const Schema& schema, const value& given, const std::string& path) const {
    for (const Schema& part : schema.parts) {
      if (has_shape(part, given)) return check(part, given, path, false);
    }
    return wrong_type(path, schema, given);
  }

  absl::Status tagged(const Schema& schema, const value& given, const std::string& path) const {
    if (!given.is_object()) return wrong_type(path, schema, given);
    const std::string where = path + "." + schema.tag;
    const auto* tag = given.get_object().if_contains(schema.tag);
    if (tag == nullptr || tag->is_null()) return missing(where);
    if (!tag->is_string())
      return wrong_type(where, schema.parts[0].field(schema.tag)->schema, *tag);
    std::vector<std::string> known;
    for (const Schema& part : schema.parts) {
      const auto& values = part.field(schema.tag)->schema.values;
      if (std::find(values.begin(), values.end(), std::string_view(tag->get_string())) !=
          values.end())
        return check(part, given, path, false);
      known.insert(known.end(), values.begin(), values.end());
    }
    for (const auto& [refused, reason] : schema.refused) {
      if (std::string_view(tag->get_string()) != refused) continue;
      return parameter_error(
          fmt::format("Unsupported value: '{}' does not support '{}': {}.", where, refused, reason),
          where, "unsupported_value");
    }
    return wrong_value(where, std::string_view(tag->get_string()), known);
  }

  const ValidateOptions options_;
};

}  // namespace

absl::Status validate(const Schema& schema, const base::json::value& given,
                      const ValidateOptions& options, const std::string& path) {
  return Validator(options).check(schema, given, path, false);
}

}  // namespace plinth::api
