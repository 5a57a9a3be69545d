#include "api/openai/fields.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "api/error_map.h"

namespace plinth::api {

std::string_view kind_name(const base::json::value& value) {
  switch (value.kind()) {
    case base::json::kind::null:
      return "null";
    case base::json::kind::bool_:
      return "a boolean";
    case base::json::kind::int64:
    case base::json::kind::uint64:
      return "an integer";
    case base::json::kind::double_:
      return "a decimal";
    case base::json::kind::string:
      return "a string";
    case base::json::kind::array:
      return "an array";
    case base::json::kind::object:
      return "an object";
  }
  return "unknown";
}

namespace {

absl::Status wrong_type(std::string_view name, std::string_view wanted,
                        const base::json::value& value) {
  return parameter_error(fmt::format("Invalid type for '{}': expected {}, but got {} instead.",
                                     name, wanted, kind_name(value)),
                         name, "invalid_type");
}

template <typename T>
absl::Status out_of_range(std::string_view name, T value, T min, T max) {
  return value < min
             ? parameter_error(
                   fmt::format("{} is less than the minimum of {} - '{}'", value, min, name), name,
                   std::is_integral_v<T> ? "integer_below_min_value" : "decimal_below_min_value")
             : parameter_error(
                   fmt::format("{} is greater than the maximum of {} - '{}'", value, max, name),
                   name,
                   std::is_integral_v<T> ? "integer_above_max_value" : "decimal_above_max_value");
}

}  // namespace

const base::json::value* Fields::any(std::string_view name) {
  known_.emplace(name);
  const auto* value = body_.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

void Fields::fail(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
}

std::optional<double> Fields::number(std::string_view name, double min, double max) {
  const auto* value = any(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) {
    fail(wrong_type(name, "a decimal", *value));
    return std::nullopt;
  }
  const double number = value->to_number<double>();
  if (!(number >= min && number <= max)) {
    fail(out_of_range(name, number, min, max));
    return std::nullopt;
  }
  return number;
}

std::optional<std::int64_t> Fields::integer(std::string_view name, std::int64_t min,
                                            std::int64_t max) {
  const auto* value = any(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_int64()) {
    if (value->is_uint64())
      fail(out_of_range<std::int64_t>(name, INT64_MAX, min, max));
    else
      fail(wrong_type(name, "an integer", *value));
    return std::nullopt;
  }
  if (value->get_int64() < min || value->get_int64() > max) {
    fail(out_of_range(name, value->get_int64(), min, max));
    return std::nullopt;
  }
  return value->get_int64();
}

std::optional<bool> Fields::boolean(std::string_view name) {
  const auto* value = any(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_bool()) {
    fail(wrong_type(name, "a boolean", *value));
    return std::nullopt;
  }
  return value->get_bool();
}

std::optional<std::string> Fields::string(std::string_view name) {
  const auto* value = any(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    fail(wrong_type(name, "a string", *value));
    return std::nullopt;
  }
  return std::string(value->get_string());
}

absl::Status Fields::finish() {
  for (const auto& [name, value] : body_) {
    if (!known_.contains(std::string_view(name))) {
      fail(parameter_error(
          fmt::format("Unrecognized request argument supplied: {}", std::string_view(name)), ""));
    }
  }
  return status_;
}

namespace {

void read_logit_bias(Fields& fields, protocol::SamplingParams& sampling) {
  const auto* value = fields.any("logit_bias");
  if (value == nullptr) return;
  if (!value->is_object()) return fields.fail(wrong_type("logit_bias", "an object", *value));
  for (const auto& [key, bias] : value->get_object()) {
    std::int32_t token = -1;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), token);
    if (parsed.ec != std::errc() || parsed.ptr != key.data() + key.size() || token < 0) {
      return fields.fail(
          parameter_error(fmt::format("Invalid key in 'logit_bias': {}. Keys are token ids.",
                                      std::string_view(key)),
                          "logit_bias"));
    }
    const double number = bias.is_number() ? bias.to_number<double>() : 1000;
    if (!(number >= -100 && number <= 100)) {
      return fields.fail(parameter_error(
          fmt::format("Invalid value in 'logit_bias' for key {}: expected -100 to 100.",
                      std::string_view(key)),
          "logit_bias"));
    }
    sampling.logit_bias.emplace_back(token, static_cast<float>(number));
  }
}

void read_stop(Fields& fields, protocol::GenerateRequest& request) {
  const auto* value = fields.any("stop");
  if (value == nullptr) return;
  if (value->is_string()) {
    request.stop.emplace_back(value->get_string());
    return;
  }
  if (!value->is_array())
    return fields.fail(wrong_type("stop", "a string or an array of strings", *value));
  if (value->get_array().size() > 4) {
    return fields.fail(
        parameter_error("Invalid 'stop': array too long. Expected at most 4 entries.", "stop",
                        "array_above_max_length"));
  }
  for (const auto& stop : value->get_array()) {
    if (!stop.is_string()) return fields.fail(wrong_type("stop", "an array of strings", stop));
    request.stop.emplace_back(stop.get_string());
  }
}

}  // namespace

void read_sampling(Fields& fields, protocol::GenerateRequest& request) {
  auto& sampling = request.sampling;
  request.model = fields.string("model").value_or("");
  if (request.model.empty())
    fields.fail(parameter_error("you must provide a model parameter", "model"));
  sampling.temperature = fields.number("temperature", 0, 2).value_or(1.0);
  sampling.top_p = fields.number("top_p", 0, 1).value_or(1.0);
  // OpenAI accepts 0 and then takes the best token alone.
  if (sampling.top_p == 0) sampling.top_k = 1;
  if (const auto k = fields.integer("top_k", 0, 1 << 22))
    sampling.top_k = static_cast<std::int32_t>(*k);
  sampling.min_p = fields.number("min_p", 0, 1).value_or(0.0);
  sampling.typical_p = fields.number("typical_p", 1e-6, 1).value_or(1.0);
  sampling.presence_penalty = fields.number("presence_penalty", -2, 2).value_or(0.0);
  sampling.frequency_penalty = fields.number("frequency_penalty", -2, 2).value_or(0.0);
  sampling.repetition_penalty = fields.number("repetition_penalty", 0.01, 100).value_or(1.0);
  if (const auto seed = fields.integer("seed", INT64_MIN, INT64_MAX)) {
    sampling.seed = static_cast<std::uint64_t>(*seed);
  }
  request.n = static_cast<std::int32_t>(fields.integer("n", 1, 128).value_or(1));
  request.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  read_logit_bias(fields, sampling);
  read_stop(fields, request);
  // Of no effect on the outcome; checked for their type.
  (void)fields.string("user");
  if (const auto tier = fields.string("service_tier");
      tier && *tier != "auto" && *tier != "default") {
    fields.fail(parameter_error("service_tier must be auto or default", "service_tier"));
  }
}

}  // namespace plinth::api
