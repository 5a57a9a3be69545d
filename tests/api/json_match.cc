#include "json_match.h"

#include <cmath>

namespace plinth::tests {

namespace {

using base::json::value;

// Whether `expected` is a wildcard, and then in `fits` whether it takes `actual`.
bool wildcard(std::string_view expected, const value& actual, bool& fits) {
  if (!expected.starts_with('<') || !expected.ends_with('>')) return false;
  const std::string_view inner = expected.substr(1, expected.size() - 2);
  const auto rest = [&](std::string_view word) { return inner.substr(word.size()); };
  const std::string_view text = actual.is_string() ? std::string_view(actual.get_string()) : "";
  if (inner == "any") {
    fits = true;
  } else if (inner == "string") {
    fits = actual.is_string();
  } else if (inner == "int") {
    fits = actual.is_int64() || actual.is_uint64();
  } else if (inner == "number") {
    fits = actual.is_number();
  } else if (inner.starts_with("id ")) {
    fits = text.starts_with(rest("id ")) && text.size() > rest("id ").size();
  } else if (inner.starts_with("has ")) {
    fits = text.find(rest("has ")) != std::string_view::npos;
  } else {
    return false;
  }
  return true;
}

std::string differs(const std::string& path, const value& expected, const value& actual) {
  return path + ": expected " + base::to_json(expected) + ", but got " + base::to_json(actual);
}

std::string object_mismatch(const base::json::object& expected, const value& actual,
                            const std::string& path) {
  if (!actual.is_object()) return differs(path, expected, actual);
  const auto& object = actual.get_object();
  for (const auto& [key, part] : expected) {
    if (key == "...") continue;
    const std::string where = path + "." + std::string(key);
    const auto* found = object.if_contains(key);
    if (found == nullptr) return where + ": is absent in " + base::to_json(actual);
    if (auto problem = mismatch(part, *found, where); !problem.empty()) return problem;
  }
  if (expected.contains("...")) return "";
  for (const auto& [key, part] : object) {
    if (!expected.contains(key))
      return path + "." + std::string(key) + ": not expected, has " + base::to_json(part);
  }
  return "";
}

}  // namespace

std::string mismatch(const value& expected, const value& actual, const std::string& path) {
  bool fits = false;
  if (expected.is_string() && wildcard(expected.get_string(), actual, fits))
    return fits ? "" : differs(path, expected, actual);
  if (expected.is_object()) return object_mismatch(expected.get_object(), actual, path);
  if (expected.is_array()) {
    if (!actual.is_array() || actual.get_array().size() != expected.get_array().size())
      return differs(path, expected, actual);
    for (std::size_t i = 0; i < expected.get_array().size(); ++i) {
      auto problem = mismatch(expected.get_array()[i], actual.get_array()[i],
                              path + "[" + std::to_string(i) + "]");
      if (!problem.empty()) return problem;
    }
    return "";
  }
  if (expected.is_number() && actual.is_number()) {
    const double a = expected.to_number<double>(), b = actual.to_number<double>();
    return std::abs(a - b) <= 1e-6 * std::max(1.0, std::abs(a)) ? ""
                                                                : differs(path, expected, actual);
  }
  return expected == actual ? "" : differs(path, expected, actual);
}

}  // namespace plinth::tests
