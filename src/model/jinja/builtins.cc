#include "model/jinja/builtins.h"

#include <algorithm>

#include "model/jinja/arguments.h"
#include "model/jinja/list_functions.h"
#include "model/jinja/text_functions.h"

namespace plinth::model::jinja {

namespace {

constexpr int kDepthMax = 64;

absl::StatusOr<Value> json_filter(const Value& input, const Arguments& a, std::size_t bytes_max) {
  JsonStyle style;
  style.ensure_ascii = flag_argument(a, 0, "ensure_ascii", false);
  style.indent =
      static_cast<int>(std::clamp<std::int64_t>(integer_argument(a, 1, "indent", -1), -1, 16));
  style.sort_keys = flag_argument(a, 3, "sort_keys", false);
  if (style.indent >= 0) style.item_separator = ",";
  const Value* separators = argument(a, 2, "separators");
  if (separators != nullptr && !separators->is_none()) {
    const List* pair = separators->list();
    if (pair == nullptr || pair->size() != 2) return wrong("tojson: separators are a pair");
    style.item_separator = (*pair)[0].str();
    style.key_separator = (*pair)[1].str();
  }
  ASSIGN_OR_RETURN(auto text, to_json_text(input, style, bytes_max));
  return Value::of(std::move(text));
}

absl::StatusOr<Value> length_of(const Value& input) {
  if (const auto* d = input.dict()) return Value::of(static_cast<std::int64_t>(d->size()));
  if (const auto* l = input.list()) return Value::of(static_cast<std::int64_t>(l->size()));
  if (const auto* s = input.string())
    return Value::of(static_cast<std::int64_t>(character_offsets(*s).size()) - 1);
  if (input.undefined()) return Value::of(std::int64_t{0});
  return wrong(fmt::format("object of type '{}' has no len()", input.type_name()));
}

absl::StatusOr<Value> filter(const std::string& name, const Value& input, const Arguments& a,
                             std::size_t bytes_max) {
  if (name == "length" || name == "count") return length_of(input);
  if (name == "default" || name == "d") {
    const Value* otherwise = argument(a, 0, "default_value");
    const bool missing =
        input.undefined() || (flag_argument(a, 1, "boolean", false) && !input.truthy());
    return missing ? (otherwise == nullptr ? Value::of(std::string()) : *otherwise) : input;
  }
  if (name == "tojson") return json_filter(input, a, bytes_max);
  if (is_text_filter(name)) return text_filter(input, name, a, bytes_max);
  if (is_list_filter(name)) return list_filter(input, name, a, bytes_max);
  if (is_number_filter(name)) return number_filter(input, name, a);
  return wrong(fmt::format("unknown filter {}", name));
}

absl::StatusOr<bool> order_test(const std::string& name, const Value& v, const Value& other) {
  ASSIGN_OR_RETURN(const int order, compare(v, other));
  if (one_of(name, {"lt", "lessthan", "<"})) return order < 0;
  if (one_of(name, {"gt", "greaterthan", ">"})) return order > 0;
  return one_of(name, {"le", "<="}) ? order <= 0 : order >= 0;
}

absl::StatusOr<bool> same_as(const Value& a, const Value& b) {
  if (a.data.index() != b.data.index()) return false;
  if (a.list()) return a.list() == b.list();
  if (a.dict()) return a.dict() == b.dict();
  return a.equals(b);
}

absl::StatusOr<Value> dict_method(const Value& object, const std::string& name,
                                  const Arguments& a) {
  if (name == "items") return items_list(object);
  if (name == "copy") return object;
  if (name == "get") {
    const Value* found = a.positional.empty() || !a.positional[0].string()
                             ? nullptr
                             : object.find(*a.positional[0].string());
    const Value* otherwise = argument(a, 1, "default");
    return found ? *found : (otherwise ? *otherwise : Value::none());
  }
  List out;
  for (const auto& [key, value] : *object.dict())
    out.push_back(name == "keys" ? key_of(object, key) : value);
  return Value::of(std::move(out));
}

absl::StatusOr<Value> list_method(const Value& object, const std::string& name,
                                  const Arguments& a) {
  if (a.positional.size() != 1) return wrong(fmt::format("{} needs one argument", name));
  std::int64_t count = 0, index = 0;
  for (const Value& item : *object.list()) {
    const bool same = item.equals(a.positional[0]);
    if (same && name == "index") return Value::of(index);
    count += same ? 1 : 0;
    ++index;
  }
  if (name == "index") return wrong("value is not in list");
  return Value::of(count);
}

}  // namespace

absl::StatusOr<List> items_of(const Value& value) {
  if (const auto* l = value.list()) return *l;
  if (value.undefined()) return List{};
  List out;
  if (const auto* d = value.dict()) {
    for (const auto& [key, item] : *d) out.push_back(key_of(value, key));
    return out;
  }
  if (const auto* s = value.string()) {
    const auto offsets = character_offsets(*s);
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
      out.push_back(value.part(offsets[i], offsets[i + 1] - offsets[i]));
    return out;
  }
  return wrong(fmt::format("'{}' object is not iterable", value.type_name()));
}

absl::StatusOr<bool> contains(const Value& container, const Value& item) {
  if (const auto* s = container.string()) {
    if (item.string() == nullptr)
      return wrong(
          fmt::format("'in <string>' requires string as left operand, not {}", item.type_name()));
    return has_substring(*s, *item.string());
  }
  if (container.dict() != nullptr)
    return item.string() != nullptr && container.find(*item.string()) != nullptr;
  if (const auto* l = container.list()) {
    return std::any_of(l->begin(), l->end(), [&](const Value& v) { return v.equals(item); });
  }
  if (container.undefined()) return false;
  return wrong(fmt::format("argument of type '{}' is not iterable", container.type_name()));
}

absl::StatusOr<int> compare(const Value& a, const Value& b, int depth) {
  if (depth > kDepthMax) return base::resource_exhausted("[template] comparison is too deep");
  if (a.integer() && b.integer())
    return *a.integer() < *b.integer() ? -1 : (*a.integer() > *b.integer() ? 1 : 0);
  if (a.is_number() && b.is_number()) {
    const double x = a.as_double(), y = b.as_double();
    return x < y ? -1 : (x > y ? 1 : 0);
  }
  if (a.string() && b.string()) {
    const int order = a.string()->compare(*b.string());
    return order < 0 ? -1 : (order > 0 ? 1 : 0);
  }
  if (a.list() && b.list() && a.is_tuple() == b.is_tuple()) {
    for (std::size_t i = 0; i < a.list()->size() && i < b.list()->size(); ++i) {
      if ((*a.list())[i].equals((*b.list())[i])) continue;
      return compare((*a.list())[i], (*b.list())[i], depth + 1);
    }
    return a.list()->size() < b.list()->size() ? -1 : (a.list()->size() > b.list()->size() ? 1 : 0);
  }
  return wrong(fmt::format("'{}' and '{}' have no order", a.type_name(), b.type_name()));
}

absl::StatusOr<Value> apply_filter(const std::string& name, const Value& input, const Arguments& a,
                                   std::size_t bytes_max) {
  ASSIGN_OR_RETURN(Value out, filter(name, input, a, bytes_max));
  return input.origin || a.foreign() ? out.made_foreign() : std::move(out);
}

absl::StatusOr<bool> apply_test(const std::string& name, const Value& v, const Arguments& a) {
  const auto against = [&]() { return a.positional.empty() ? Value() : a.positional[0]; };
  if (name == "defined") return !v.undefined();
  if (name == "undefined") return v.undefined();
  if (name == "none") return v.is_none();
  if (name == "string") return v.string() != nullptr;
  if (name == "mapping") return v.dict() != nullptr;
  if (name == "sequence") return v.undefined() || v.string() || v.list() || v.dict();
  if (name == "iterable") return v.undefined() || v.string() || v.list() || v.dict();
  if (name == "number") return v.is_number();
  if (name == "integer") return v.integer() != nullptr;
  if (name == "float") return v.real() != nullptr;
  if (name == "boolean") return v.boolean() != nullptr;
  if (name == "true") return v.boolean() && *v.boolean();
  if (name == "false") return v.boolean() && !*v.boolean();
  if (name == "callable") return v.callable() != nullptr;
  if (name == "escaped") return false;
  if (name == "lower" || name == "upper")
    return v.string() && changed_case(*v.string(), name == "upper") == *v.string();
  if (name == "even" || name == "odd") {
    if (!v.integer()) return wrong(fmt::format("{} needs an integer", name));
    return (*v.integer() % 2 != 0) == (name == "odd");
  }
  if (name == "divisibleby") {
    const Value by = against();
    if (!v.integer() || !by.integer() || *by.integer() == 0)
      return wrong("divisibleby needs integers");
    return *by.integer() == -1 || *v.integer() % *by.integer() == 0;
  }
  if (name == "sameas") return same_as(v, against());
  if (one_of(name, {"equalto", "eq", "=="})) return v.equals(against());
  if (one_of(name, {"ne", "!="})) return !v.equals(against());
  if (name == "in") return contains(against(), v);
  if (one_of(name, {"lt", "le", "gt", "ge", "lessthan", "greaterthan", "<", "<=", ">", ">="}))
    return order_test(name, v, against());
  return wrong(fmt::format("unknown test {}", name));
}

Value method_of(const Value& object, const std::string& name, std::size_t bytes_max) {
  const bool known = (object.string() && is_text_method(name)) ||
                     (object.dict() && one_of(name, {"items", "keys", "values", "get", "copy"})) ||
                     (object.list() && one_of(name, {"index", "count"}));
  if (!known) return {};
  Value method =
      Value::of(Callable([object, name, bytes_max](const Arguments& a) -> absl::StatusOr<Value> {
        ASSIGN_OR_RETURN(Value out, object.string() ? text_method(object, name, a, bytes_max)
                                    : object.dict() ? dict_method(object, name, a)
                                                    : list_method(object, name, a));
        return object.origin || a.foreign() ? out.made_foreign() : std::move(out);
      }));
  method.depth = object.depth + 1;
  return method;
}

}  // namespace plinth::model::jinja
