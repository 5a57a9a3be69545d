#include "model/jinja/list_functions.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "model/jinja/arguments.h"
#include "model/jinja/builtins.h"
#include "model/jinja/text_functions.h"

namespace plinth::model::jinja {

namespace {

// "a.b" or "a.0": Jinja's attribute arguments.
Value attribute_path(Value value, const std::string& path) {
  std::size_t at = 0;
  while (at <= path.size()) {
    const auto dot = std::min(path.find('.', at), path.size());
    const std::string key = path.substr(at, dot - at);
    const Value* found = value.find(key);
    std::size_t index = 0;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), index);
    if (found == nullptr && value.list() != nullptr && parsed.ec == std::errc() &&
        parsed.ptr == key.data() + key.size() && index < value.list()->size()) {
      found = &(*value.list())[index];
    }
    value = found == nullptr ? Value() : Value(*found);
    at = dot + 1;
  }
  return value;
}

absl::StatusOr<Value> select(const List& items, const Arguments& a, bool by_attribute, bool keep) {
  const std::size_t skip = by_attribute ? 1 : 0;
  if (a.positional.size() < skip) return wrong("selectattr needs an attribute");
  List out;
  for (const Value& item : items) {
    const Value tested = by_attribute ? attribute_path(item, a.positional[0].str()) : item;
    bool passed = tested.truthy();
    if (a.positional.size() > skip) {
      Arguments rest;
      rest.positional.assign(a.positional.begin() + static_cast<std::ptrdiff_t>(skip) + 1,
                             a.positional.end());
      ASSIGN_OR_RETURN(passed, apply_test(a.positional[skip].str(), tested, rest));
    }
    if (passed == keep) out.push_back(item);
  }
  return Value::of(std::move(out));
}

absl::StatusOr<Value> map(const List& items, const Arguments& a, std::size_t bytes_max) {
  const Value* attribute = a.named_value("attribute");
  List out;
  for (const Value& item : items) {
    if (attribute != nullptr) {
      out.push_back(attribute_path(item, attribute->str()));
      const Value* otherwise = a.named_value("default");
      if (out.back().undefined() && otherwise != nullptr) out.back() = *otherwise;
      continue;
    }
    if (a.positional.empty()) return wrong("map needs a filter");
    Arguments rest;
    rest.positional.assign(a.positional.begin() + 1, a.positional.end());
    rest.named = a.named;
    ASSIGN_OR_RETURN(auto value, apply_filter(a.positional[0].str(), item, rest, bytes_max));
    out.push_back(std::move(value));
  }
  return Value::of(std::move(out));
}

// Keys once, then a sort: comparing computes nothing.
absl::StatusOr<List> sorted_by(List items, const Value* attribute, bool reverse,
                               bool case_matters) {
  std::vector<std::pair<Value, std::size_t>> keys;
  for (std::size_t i = 0; i < items.size(); ++i) {
    Value key = attribute != nullptr ? attribute_path(items[i], attribute->str()) : items[i];
    if (key.string() && !case_matters) key = Value::of(changed_case(*key.string(), false));
    keys.emplace_back(std::move(key), i);
  }
  // std::sort must not see an order that fails half-way.
  for (std::size_t i = 1; i < keys.size(); ++i) {
    RETURN_IF_ERROR(compare(keys[0].first, keys[i].first).status());
  }
  absl::Status failed;
  std::stable_sort(keys.begin(), keys.end(), [&](const auto& x, const auto& y) {
    const auto order = compare(x.first, y.first);
    if (!order.ok()) failed = order.status();
    return order.ok() && (reverse ? *order > 0 : *order < 0);
  });
  RETURN_IF_ERROR(failed);
  List out;
  for (const auto& [key, index] : keys) out.push_back(std::move(items[index]));
  return out;
}

absl::StatusOr<Value> grouped(const List& items, const Arguments& a) {
  const Value* attribute = argument(a, 0, "attribute");
  if (attribute == nullptr) return wrong("groupby needs an attribute");
  ASSIGN_OR_RETURN(const List order, sorted_by(items, attribute, false, false));
  std::vector<std::pair<Value, List>> groups;
  for (const Value& item : order) {
    const Value key = attribute_path(item, attribute->str());
    if (groups.empty() || !groups.back().first.equals(key)) groups.push_back({key, {}});
    groups.back().second.push_back(item);
  }
  List out;
  for (auto& [key, members] : groups) {
    out.push_back(Value::tuple({std::move(key), Value::of(std::move(members))}));
  }
  return Value::of(std::move(out));
}

absl::StatusOr<Value> batched(const List& items, const Arguments& a) {
  const std::int64_t size = integer_argument(a, 0, "linecount", 0);
  if (size < 1) return wrong("batch needs a positive size");
  const Value* fill = argument(a, 1, "fill_with");
  List out;
  for (std::size_t i = 0; i < items.size(); i += static_cast<std::size_t>(size)) {
    const auto end = std::min(items.size(), i + static_cast<std::size_t>(size));
    List row(items.begin() + static_cast<std::ptrdiff_t>(i),
             items.begin() + static_cast<std::ptrdiff_t>(end));
    if (fill != nullptr && !fill->is_none() && size <= 100'000) {
      row.resize(static_cast<std::size_t>(size), *fill);
    }
    out.push_back(Value::of(std::move(row)));
  }
  return Value::of(std::move(out));
}

absl::StatusOr<Value> joined(const List& items, const Arguments& a, std::size_t bytes_max) {
  const Value* separator = argument(a, 0, "d");
  const Value* attribute = argument(a, 1, "attribute");
  TextBuilder out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0 && separator != nullptr) out.add(*separator);
    out.add(attribute ? attribute_path(items[i], attribute->str()) : items[i]);
    if (out.size() > bytes_max) return too_much("join");
  }
  return std::move(out).value();
}

absl::StatusOr<Value> summed(const List& items, const Arguments& a) {
  const Value* attribute = argument(a, 0, "attribute");
  double total = 0;
  std::int64_t whole = 0;
  bool real = false;
  const auto add = [&](const Value& v) -> absl::Status {
    if (!v.is_number()) return wrong(fmt::format("sum: {} is no number", v.type_name()));
    real = real || v.real() != nullptr;
    total += v.as_double();
    const std::int64_t n = v.integer() ? *v.integer() : (v.boolean() ? *v.boolean() : 0);
    if (__builtin_add_overflow(whole, n, &whole)) return wrong("sum: integer overflow");
    return absl::OkStatus();
  };
  if (const Value* start = argument(a, 1, "start")) RETURN_IF_ERROR(add(*start));
  for (const auto& item : items) {
    RETURN_IF_ERROR(add(attribute ? attribute_path(item, attribute->str()) : item));
  }
  return real ? Value::of(total) : Value::of(whole);
}

absl::StatusOr<Value> unique(const List& items, const Arguments& a) {
  const Value* attribute = argument(a, 1, "attribute");
  const bool case_matters = flag_argument(a, 0, "case_sensitive", false);
  List keys, out;
  for (const Value& item : items) {
    Value key = attribute != nullptr ? attribute_path(item, attribute->str()) : item;
    if (key.string() && !case_matters) key = Value::of(changed_case(*key.string(), false));
    if (std::any_of(keys.begin(), keys.end(), [&](const Value& v) { return v.equals(key); })) {
      continue;
    }
    if (keys.size() >= 2000) return base::resource_exhausted("[template] unique over 2000");
    keys.push_back(std::move(key));
    out.push_back(item);
  }
  return Value::of(std::move(out));
}

absl::StatusOr<Value> extreme(const List& items, const Arguments& a, bool smallest) {
  const Value* attribute = argument(a, 1, "attribute");
  Value best, best_key;
  for (std::size_t i = 0; i < items.size(); ++i) {
    Value key = attribute ? attribute_path(items[i], attribute->str()) : items[i];
    if (key.string()) key = Value::of(changed_case(*key.string(), false));
    if (i > 0) {
      ASSIGN_OR_RETURN(const int order, compare(key, best_key));
      if (smallest ? order >= 0 : order <= 0) continue;
    }
    best = items[i];
    best_key = std::move(key);
  }
  return best;
}

absl::StatusOr<Value> dict_sorted(const Value& input, const Arguments& a) {
  if (input.dict() == nullptr) return wrong("dictsort needs a dict");
  const bool case_matters = flag_argument(a, 0, "case_sensitive", false);
  const bool by_value = text_argument(a, 1, "by", "key") == "value";
  const Value pairs = items_list(input);
  const Value index = Value::of(std::string(by_value ? "1" : "0"));
  ASSIGN_OR_RETURN(auto out, sorted_by(*pairs.list(), &index, flag_argument(a, 2, "reverse", false),
                                       case_matters));
  return Value::of(std::move(out));
}

absl::StatusOr<Value> reversed(const Value& input, List items) {
  std::reverse(items.begin(), items.end());
  if (input.string() == nullptr) return Value::of(std::move(items));
  TextBuilder text;
  for (const auto& item : items) text.add(item);
  return std::move(text).value();
}

}  // namespace

Value key_of(const Value& dict, const std::string& key) {
  return dict.origin ? Value::foreign_text(key) : Value::of(key);
}

Value items_list(const Value& dict) {
  List out;
  for (const auto& [key, value] : *dict.dict())
    out.push_back(Value::tuple({key_of(dict, key), value}));
  return Value::of(std::move(out));
}

bool is_list_filter(std::string_view name) {
  return one_of(name,
                {"first", "last",    "list",  "reverse", "unique",   "join",       "sum",
                 "min",   "max",     "map",   "select",  "reject",   "selectattr", "rejectattr",
                 "sort",  "groupby", "batch", "items",   "dictsort", "attr"});
}

absl::StatusOr<Value> list_filter(const Value& input, const std::string& name, const Arguments& a,
                                  std::size_t bytes_max) {
  if (name == "items") {
    if (input.undefined()) return Value::of(List{});
    if (input.dict() == nullptr) return wrong("Can only get item pairs from a mapping.");
    return items_list(input);
  }
  if (name == "dictsort") return dict_sorted(input, a);
  if (name == "attr") {
    const Value* found = input.find(text_argument(a, 0, "name", ""));
    return found != nullptr && input.name_space() != nullptr ? *found : Value();
  }
  ASSIGN_OR_RETURN(List items, items_of(input));
  if (name == "first") return items.empty() ? Value() : items.front();
  if (name == "last") return items.empty() ? Value() : items.back();
  if (name == "list") return Value::of(std::move(items));
  if (name == "reverse") return reversed(input, std::move(items));
  if (name == "unique") return unique(items, a);
  if (name == "join") return joined(items, a, bytes_max);
  if (name == "sum") return summed(items, a);
  if (name == "map") return map(items, a, bytes_max);
  if (name == "select" || name == "reject") return select(items, a, false, name == "select");
  if (name == "selectattr" || name == "rejectattr")
    return select(items, a, true, name == "selectattr");
  if (name == "groupby") return grouped(items, a);
  if (name == "batch") return batched(items, a);
  if (name == "sort") {
    ASSIGN_OR_RETURN(auto out, sorted_by(std::move(items), argument(a, 2, "attribute"),
                                         flag_argument(a, 0, "reverse", false),
                                         flag_argument(a, 1, "case_sensitive", false)));
    return Value::of(std::move(out));
  }
  return extreme(items, a, name == "min");
}

bool is_number_filter(std::string_view name) {
  return one_of(name, {"abs", "round", "int", "float"});
}

absl::StatusOr<Value> number_filter(const Value& input, const std::string& name,
                                    const Arguments& a) {
  if (name == "abs") {
    if (!input.is_number()) return wrong(fmt::format("abs of {}", input.type_name()));
    if (input.real()) return Value::of(std::fabs(*input.real()));
    const std::int64_t n = input.integer() ? *input.integer() : *input.boolean();
    if (n == INT64_MIN) return wrong("integer overflow");
    return Value::of(n < 0 ? -n : n);
  }
  if (name == "round") {
    if (!input.is_number()) return wrong(fmt::format("round of {}", input.type_name()));
    const std::string method = text_argument(a, 1, "method", "common");
    const double scale = std::pow(10.0, static_cast<double>(std::clamp<std::int64_t>(
                                            integer_argument(a, 0, "precision", 0), -300, 300)));
    const double scaled = input.as_double() * scale;
    const double whole = method == "ceil"    ? std::ceil(scaled)
                         : method == "floor" ? std::floor(scaled)
                                             : std::nearbyint(scaled);
    return Value::of(whole / scale);
  }
  const Value* otherwise = argument(a, 0, "default");
  double value = input.as_double();
  bool readable = input.is_number();
  if (const auto* s = input.string()) {
    const Value stripped = *text_method(Value::of(*s), "strip", {}, 0);
    std::int64_t whole = 0;
    const std::string& digits = *stripped.string();
    const char* begin = digits.data() + (digits.starts_with('+') ? 1 : 0);
    const char* end = digits.data() + digits.size();
    const auto parsed = std::from_chars(begin, end, whole);
    if (name == "int" && parsed.ec == std::errc() && parsed.ptr == end && begin != end)
      return Value::of(whole);
    const auto real = std::from_chars(begin, end, value);
    readable = real.ec == std::errc() && real.ptr == end && begin != end;
  }
  if (name == "float") {
    if (readable) return Value::of(value);
    return otherwise ? *otherwise : Value::of(0.0);
  }
  if (!readable || std::isnan(value)) return otherwise ? *otherwise : Value::of(std::int64_t{0});
  if (!(std::fabs(value) < 9e18)) return wrong("int: number is too large");
  return input.integer() ? input : Value::of(static_cast<std::int64_t>(value));
}

}  // namespace plinth::model::jinja
