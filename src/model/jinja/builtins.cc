#include "model/jinja/builtins.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/tokenize/utf8.h"

namespace plinth::model::jinja {

namespace {

constexpr std::string_view kSpaces = " \t\n\r\f\v";

absl::Status wrong(std::string_view what) {
  return base::invalid_argument(fmt::format("[template] {}", what));
}
const Value* argument(const Arguments& a, std::size_t index, std::string_view name) {
  if (index < a.positional.size()) return &a.positional[index];
  return a.named_value(name);
}
std::string text_argument(const Arguments& a, std::size_t index, std::string_view name,
                          std::string otherwise) {
  const Value* value = argument(a, index, name);
  return value == nullptr || value->is_none() ? std::move(otherwise) : value->str();
}
std::int64_t integer_argument(const Arguments& a, std::size_t index, std::string_view name,
                              std::int64_t otherwise) {
  const Value* value = argument(a, index, name);
  return value == nullptr || value->integer() == nullptr ? otherwise : *value->integer();
}

std::string strip(std::string_view s, std::string_view set, bool left, bool right) {
  while (left && !s.empty() && set.find(s.front()) != std::string_view::npos) s.remove_prefix(1);
  while (right && !s.empty() && set.find(s.back()) != std::string_view::npos) s.remove_suffix(1);
  return std::string(s);
}
std::string cased(std::string s, bool upper) {
  for (char& c : s) {
    c = static_cast<char>(upper ? std::toupper(static_cast<unsigned char>(c))
                                : std::tolower(static_cast<unsigned char>(c)));
  }
  return s;
}
std::string titled(std::string s, bool each_word) {
  bool start = true;
  for (char& c : s) {
    const bool letter = std::isalpha(static_cast<unsigned char>(c)) != 0;
    c = static_cast<char>(start ? std::toupper(static_cast<unsigned char>(c))
                                : std::tolower(static_cast<unsigned char>(c)));
    start = each_word && !letter;
  }
  return s;
}

absl::StatusOr<std::string> replaced(const std::string& s, const std::string& from,
                                     const std::string& to, std::int64_t count,
                                     std::size_t bytes_max) {
  if (from.empty()) return s;
  std::string out;
  std::size_t at = 0;
  while (count != 0) {
    const auto found = s.find(from, at);
    if (found == std::string::npos) break;
    out += s.substr(at, found - at) + to;
    if (out.size() > bytes_max)
      return base::resource_exhausted("[template] replace makes too much text");
    at = found + from.size();
    --count;
  }
  return out + s.substr(at);
}

List split(const std::string& s, const Value* separator, std::int64_t limit) {
  List parts;
  if (separator == nullptr || separator->is_none()) {
    std::size_t at = s.find_first_not_of(kSpaces);
    while (at != std::string::npos) {
      auto end = s.find_first_of(kSpaces, at);
      if (limit >= 0 && static_cast<std::int64_t>(parts.size()) == limit) {
        parts.push_back(Value::of(strip(s.substr(at), kSpaces, false, true)));
        return parts;
      }
      parts.push_back(Value::of(s.substr(at, end - at)));
      at = end == std::string::npos ? end : s.find_first_not_of(kSpaces, end);
    }
    return parts;
  }
  const std::string by = separator->str();
  std::size_t at = 0;
  while (!by.empty()) {
    const auto found = s.find(by, at);
    if (found == std::string::npos ||
        (limit >= 0 && static_cast<std::int64_t>(parts.size()) == limit))
      break;
    parts.push_back(Value::of(s.substr(at, found - at)));
    at = found + by.size();
  }
  parts.push_back(Value::of(s.substr(at)));
  return parts;
}

std::string indented(const std::string& s, const Arguments& a) {
  const std::string prefix(
      static_cast<std::size_t>(std::clamp<std::int64_t>(integer_argument(a, 0, "width", 4), 0, 64)),
      ' ');
  const Value* first = argument(a, 1, "first");
  const Value* blank = argument(a, 2, "blank");
  std::string out;
  std::size_t at = 0;
  for (bool first_line = true; at <= s.size(); first_line = false) {
    const auto end = std::min(s.find('\n', at), s.size());
    const std::string line = s.substr(at, end - at);
    if (first_line ? first != nullptr && first->truthy()
                   : !line.empty() || (blank && blank->truthy()))
      out += prefix;
    out += line;
    if (end < s.size()) out += '\n';
    at = end + 1;
  }
  return out;
}

// item|attr("a.b")
Value attribute_path(Value value, const std::string& path) {
  std::size_t at = 0;
  while (at <= path.size()) {
    const auto dot = std::min(path.find('.', at), path.size());
    const Value* found = value.find(path.substr(at, dot - at));
    value = found == nullptr ? Value() : Value(*found);
    at = dot + 1;
  }
  return value;
}

absl::StatusOr<Value> select(const Value& input, const Arguments& a, bool by_attribute, bool keep) {
  ASSIGN_OR_RETURN(const List items, items_of(input));
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

absl::StatusOr<Value> map(const Value& input, const Arguments& a, std::size_t bytes_max) {
  ASSIGN_OR_RETURN(const List items, items_of(input));
  const Value* attribute = a.named_value("attribute");
  List out;
  for (const Value& item : items) {
    if (attribute != nullptr) {
      Value value = attribute_path(item, attribute->str());
      const Value* otherwise = a.named_value("default");
      out.push_back(value.undefined() && otherwise != nullptr ? *otherwise : std::move(value));
      continue;
    }
    if (a.positional.empty()) return wrong("map needs a filter");
    Arguments rest;
    rest.positional.assign(a.positional.begin() + 1, a.positional.end());
    ASSIGN_OR_RETURN(auto value, apply_filter(a.positional[0].str(), item, rest, bytes_max));
    out.push_back(std::move(value));
  }
  return Value::of(std::move(out));
}

absl::StatusOr<Value> sorted(const Value& input, const Arguments& a) {
  ASSIGN_OR_RETURN(List items, items_of(input));
  const Value* attribute = a.named_value("attribute");
  const Value* reverse = argument(a, 0, "reverse");
  absl::Status failed;
  const auto key = [&](const Value& v) {
    Value k = attribute != nullptr ? attribute_path(v, attribute->str()) : v;
    return k.string() ? Value::of(cased(*k.string(), false)) : k;
  };
  std::stable_sort(items.begin(), items.end(), [&](const Value& x, const Value& y) {
    const auto order = compare(key(x), key(y));
    if (!order.ok()) failed = order.status();
    return order.ok() && *order < 0;
  });
  RETURN_IF_ERROR(failed);
  if (reverse != nullptr && reverse->truthy()) std::reverse(items.begin(), items.end());
  return Value::of(std::move(items));
}

absl::StatusOr<Value> list_filter(const std::string& name, const Value& input, const Arguments& a) {
  ASSIGN_OR_RETURN(List items, items_of(input));
  if (name == "first") return items.empty() ? Value() : items.front();
  if (name == "last") return items.empty() ? Value() : items.back();
  if (name == "list") return Value::of(std::move(items));
  if (name == "reverse") {
    std::reverse(items.begin(), items.end());
    if (input.string() == nullptr) return Value::of(std::move(items));
    std::string text;
    for (const auto& item : items) text += *item.string();
    return Value::of(std::move(text));
  }
  if (name == "unique") {
    List out;
    for (auto& item : items) {
      if (std::none_of(out.begin(), out.end(), [&](const Value& v) { return v.equals(item); }))
        out.push_back(item);
    }
    return Value::of(std::move(out));
  }
  if (name == "join") {
    const std::string separator = text_argument(a, 0, "d", "");
    const Value* attribute = a.named_value("attribute");
    std::string out;
    for (std::size_t i = 0; i < items.size(); ++i) {
      out += (i == 0 ? "" : separator) +
             (attribute ? attribute_path(items[i], attribute->str()) : items[i]).str();
    }
    return Value::of(std::move(out));
  }
  if (name == "sum") {
    double total = 0;
    bool whole = true;
    for (const auto& item : items) {
      total += item.as_double();
      whole = whole && item.real() == nullptr;
    }
    return whole ? Value::of(static_cast<std::int64_t>(total)) : Value::of(total);
  }
  Value best = items.empty() ? Value() : items[0];
  for (const auto& item : items) {
    ASSIGN_OR_RETURN(const int order, compare(item, best));
    if (name == "min" ? order < 0 : order > 0) best = item;
  }
  return best;
}

absl::StatusOr<Value> number_filter(const std::string& name, const Value& input,
                                    const Arguments& a) {
  if (name == "abs") {
    return input.integer() ? Value::of(std::abs(*input.integer()))
                           : Value::of(std::fabs(input.as_double()));
  }
  if (name == "round") {
    const double scale =
        std::pow(10.0, static_cast<double>(integer_argument(a, 0, "precision", 0)));
    return Value::of(std::nearbyint(input.as_double() * scale) / scale);
  }
  double value = input.as_double();
  if (input.string() != nullptr) {
    char* end = nullptr;
    value = std::strtod(input.string()->c_str(), &end);
    if (end == input.string()->c_str()) value = 0;
  }
  if (name == "float") return Value::of(value);
  if (!(std::fabs(value) < 9e18)) return wrong("int: number is too large");
  return input.integer() ? input : Value::of(static_cast<std::int64_t>(value));
}

bool one_of(const std::string& name, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* n) { return name == n; });
}

absl::StatusOr<Value> string_filter(const std::string& name, const Value& input, const Arguments& a,
                                    std::size_t bytes_max) {
  const std::string s = input.str();
  if (name == "trim")
    return Value::of(strip(s, text_argument(a, 0, "chars", std::string(kSpaces)), true, true));
  if (name == "upper") return Value::of(cased(s, true));
  if (name == "lower") return Value::of(cased(s, false));
  if (name == "title") return Value::of(titled(s, true));
  if (name == "capitalize") return Value::of(titled(s, false));
  if (name == "indent") return Value::of(indented(s, a));
  if (name == "replace") {
    ASSIGN_OR_RETURN(auto out,
                     replaced(s, text_argument(a, 0, "old", ""), text_argument(a, 1, "new", ""),
                              integer_argument(a, 2, "count", -1), bytes_max));
    return Value::of(std::move(out));
  }
  if (name == "escape" || name == "e") {
    std::string out;
    for (const char c : s) {
      switch (c) {
        case '&':
          out += "&amp;";
          break;
        case '<':
          out += "&lt;";
          break;
        case '>':
          out += "&gt;";
          break;
        case '"':
          out += "&#34;";
          break;
        case '\'':
          out += "&#39;";
          break;
        default:
          out += c;
      }
    }
    return Value::of(std::move(out));
  }
  return Value::of(s);  // string, safe
}

Value items_list(const Dict& dict) {
  List out;
  for (const auto& [key, value] : dict) out.push_back(Value::of(List{Value::of(key), value}));
  return Value::of(std::move(out));
}

absl::StatusOr<Value> string_method(const std::string& s, const std::string& name,
                                    const Arguments& a, std::size_t bytes_max) {
  const auto starts = [&](bool end) -> bool {
    const auto matches = [&](const Value& v) {
      return end ? s.ends_with(v.str()) : s.starts_with(v.str());
    };
    if (a.positional.empty()) return false;
    const List* several = a.positional[0].list();
    return several ? std::any_of(several->begin(), several->end(), matches)
                   : matches(a.positional[0]);
  };
  if (one_of(name, {"strip", "lstrip", "rstrip"})) {
    return Value::of(strip(s, text_argument(a, 0, "chars", std::string(kSpaces)), name != "rstrip",
                           name != "lstrip"));
  }
  if (name == "startswith" || name == "endswith") return Value::of(starts(name == "endswith"));
  if (name == "split")
    return Value::of(split(s, argument(a, 0, "sep"), integer_argument(a, 1, "maxsplit", -1)));
  if (name == "splitlines") {
    List lines = split(s, &static_cast<const Value&>(Value::of(std::string("\n"))), -1);
    if (!lines.empty() && lines.back().string()->empty()) lines.pop_back();
    return Value::of(std::move(lines));
  }
  if (name == "find") {
    const auto at = s.find(text_argument(a, 0, "sub", ""));
    return Value::of(at == std::string::npos
                         ? std::int64_t{-1}
                         : static_cast<std::int64_t>(characters(s.substr(0, at)).size()));
  }
  if (name == "count") {
    const std::string sub = text_argument(a, 0, "sub", "");
    std::int64_t n = 0;
    for (auto at = s.find(sub); !sub.empty() && at != std::string::npos;
         at = s.find(sub, at + sub.size()))
      ++n;
    return Value::of(n);
  }
  if (name == "join")
    return apply_filter("join", a.positional.empty() ? Value() : a.positional[0],
                        {{Value::of(s)}, {}}, bytes_max);
  if (name == "isdigit" || name == "isalpha") {
    return Value::of(!s.empty() && std::all_of(s.begin(), s.end(), [&](unsigned char c) {
      return name == "isdigit" ? std::isdigit(c) : std::isalpha(c);
    }));
  }
  return string_filter(name, Value::of(s), a, bytes_max);
}

}  // namespace

std::vector<std::string> characters(const std::string& text) {
  std::vector<std::string> out;
  std::string_view rest = text;
  while (!rest.empty()) {
    bool incomplete = false;
    const auto length = std::max<std::size_t>(utf8_length(rest, incomplete), 1);
    out.emplace_back(rest.substr(0, length));
    rest.remove_prefix(length);
  }
  return out;
}

absl::StatusOr<List> items_of(const Value& value) {
  if (const auto* l = value.list()) return *l;
  if (value.undefined()) return List{};
  List out;
  if (const auto* d = value.dict()) {
    for (const auto& [key, item] : *d) out.push_back(Value::of(key));
    return out;
  }
  if (const auto* s = value.string()) {
    for (auto& c : characters(*s)) out.push_back(Value::of(std::move(c)));
    return out;
  }
  return wrong(fmt::format("{} cannot be iterated", value.repr()));
}

absl::StatusOr<bool> contains(const Value& container, const Value& item) {
  if (const auto* s = container.string()) return s->find(item.str()) != std::string::npos;
  if (container.dict() != nullptr) return container.find(item.str()) != nullptr;
  ASSIGN_OR_RETURN(const List items, items_of(container));
  return std::any_of(items.begin(), items.end(), [&](const Value& v) { return v.equals(item); });
}

absl::StatusOr<int> compare(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    const double x = a.as_double(), y = b.as_double();
    return x < y ? -1 : (x > y ? 1 : 0);
  }
  if (a.string() && b.string()) {
    const int order = a.string()->compare(*b.string());
    return order < 0 ? -1 : (order > 0 ? 1 : 0);
  }
  return wrong(fmt::format("{} and {} have no order", a.repr(), b.repr()));
}

absl::StatusOr<Value> apply_filter(const std::string& name, const Value& input, const Arguments& a,
                                   std::size_t bytes_max) {
  if (name == "length" || name == "count") {
    if (const auto* d = input.dict()) return Value::of(static_cast<std::int64_t>(d->size()));
    ASSIGN_OR_RETURN(const List items, items_of(input));
    return Value::of(static_cast<std::int64_t>(items.size()));
  }
  if (name == "default" || name == "d") {
    const Value* otherwise = argument(a, 0, "default_value");
    const Value* boolean = argument(a, 1, "boolean");
    const bool missing =
        input.undefined() || (boolean != nullptr && boolean->truthy() && !input.truthy());
    return missing ? (otherwise == nullptr ? Value::of(std::string()) : *otherwise) : input;
  }
  if (name == "tojson") {
    const Value* sort = a.named_value("sort_keys");
    ASSIGN_OR_RETURN(auto text, to_json_text(input,
                                             static_cast<int>(std::clamp<std::int64_t>(
                                                 integer_argument(a, 0, "indent", -1), -1, 16)),
                                             sort != nullptr && sort->truthy()));
    if (text.size() > bytes_max)
      return base::resource_exhausted("[template] tojson makes too much text");
    return Value::of(std::move(text));
  }
  if (name == "items") return input.dict() ? items_list(*input.dict()) : Value::of(List{});
  if (name == "dictsort") {
    if (input.dict() == nullptr) return wrong("dictsort needs a dict");
    Dict copy = *input.dict();
    std::sort(copy.begin(), copy.end(), [](const auto& x, const auto& y) {
      return cased(x.first, false) < cased(y.first, false);
    });
    return items_list(copy);
  }
  if (name == "attr") return attribute_path(input, text_argument(a, 0, "name", ""));
  if (name == "map") return map(input, a, bytes_max);
  if (one_of(name, {"select", "reject"})) return select(input, a, false, name == "select");
  if (one_of(name, {"selectattr", "rejectattr"}))
    return select(input, a, true, name == "selectattr");
  if (name == "sort") return sorted(input, a);
  if (one_of(name, {"first", "last", "list", "reverse", "unique", "join", "sum", "min", "max"})) {
    return list_filter(name, input, a);
  }
  if (one_of(name, {"abs", "round", "int", "float"})) return number_filter(name, input, a);
  if (one_of(name, {"trim", "upper", "lower", "title", "capitalize", "indent", "replace", "escape",
                    "e", "string", "safe"})) {
    return string_filter(name, input, a, bytes_max);
  }
  return wrong(fmt::format("unknown filter {}", name));
}

absl::StatusOr<bool> apply_test(const std::string& name, const Value& v, const Arguments& a) {
  const auto against = [&]() { return a.positional.empty() ? Value() : a.positional[0]; };
  if (name == "defined") return !v.undefined();
  if (name == "undefined") return v.undefined();
  if (name == "none") return v.is_none();
  if (name == "string") return v.string() != nullptr;
  if (name == "mapping") return v.dict() != nullptr;
  if (name == "sequence" || name == "iterable") return v.string() || v.list() || v.dict();
  if (name == "number") return v.is_number();
  if (name == "integer") return v.integer() != nullptr;
  if (name == "float") return v.real() != nullptr;
  if (name == "boolean") return v.boolean() != nullptr;
  if (name == "true") return v.boolean() && *v.boolean();
  if (name == "false") return v.boolean() && !*v.boolean();
  if (name == "callable") return v.callable() != nullptr;
  if (name == "even" || name == "odd") {
    if (!v.integer()) return wrong(fmt::format("{} needs an integer", name));
    return (*v.integer() % 2 != 0) == (name == "odd");
  }
  if (name == "divisibleby") {
    const Value by = against();
    if (!v.integer() || !by.integer() || *by.integer() == 0)
      return wrong("divisibleby needs integers");
    return *v.integer() % *by.integer() == 0;
  }
  if (one_of(name, {"equalto", "eq", "sameas"})) return v.equals(against());
  if (name == "ne") return !v.equals(against());
  if (name == "in") return contains(against(), v);
  if (one_of(name, {"lt", "le", "gt", "ge", "lessthan", "greaterthan"})) {
    ASSIGN_OR_RETURN(const int order, compare(v, against()));
    if (name == "lt" || name == "lessthan") return order < 0;
    if (name == "gt" || name == "greaterthan") return order > 0;
    return name == "le" ? order <= 0 : order >= 0;
  }
  return wrong(fmt::format("unknown test {}", name));
}

Value method_of(const Value& object, const std::string& name, std::size_t bytes_max) {
  if (const auto* s = object.string()) {
    if (!one_of(name, {"strip", "lstrip", "rstrip", "startswith", "endswith", "split", "splitlines",
                       "find", "count", "join", "isdigit", "isalpha", "upper", "lower", "title",
                       "capitalize", "replace"})) {
      return {};
    }
    return Value::of(Callable([text = *s, name, bytes_max](const Arguments& a) {
      return string_method(text, name, a, bytes_max);
    }));
  }
  if (object.dict() == nullptr || !one_of(name, {"items", "keys", "values", "get"})) return {};
  return Value::of(Callable([object, name](const Arguments& a) -> absl::StatusOr<Value> {
    const Dict& dict = *object.dict();
    if (name == "items") return items_list(dict);
    if (name == "get") {
      const Value* found = a.positional.empty() ? nullptr : object.find(a.positional[0].str());
      const Value* otherwise = argument(a, 1, "default");
      return found ? *found : (otherwise ? *otherwise : Value::none());
    }
    List out;
    for (const auto& [key, value] : dict) out.push_back(name == "keys" ? Value::of(key) : value);
    return Value::of(std::move(out));
  }));
}

}  // namespace plinth::model::jinja
