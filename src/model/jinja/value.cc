#include "model/jinja/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace plinth::model::jinja {

namespace {

constexpr int kDepthMax = 64;

std::string float_text(double x) {
  if (std::isnan(x)) return "nan";
  if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", x);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string quoted_text(const std::string& s) {
  const char quote =
      s.find('\'') != std::string::npos && s.find('"') == std::string::npos ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : s) {
    if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\\' || c == quote)
      out += std::string("\\") + c;
    else if (static_cast<unsigned char>(c) < 32 || c == 127)
      out += fmt::format("\\x{:02x}", c);
    else
      out += c;
  }
  return out + quote;
}

std::string json_string(const std::string& s) {
  std::string out = "\"";
  for (const char c : s) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        if (static_cast<unsigned char>(c) < 32)
          out += fmt::format("\\u{:04x}", c);
        else
          out += c;
    }
  }
  return out + "\"";
}

}  // namespace

const Value* Arguments::named_value(std::string_view name) const {
  for (const auto& [key, value] : named) {
    if (key == name) return &value;
  }
  return nullptr;
}

List* Value::list() const {
  const auto* p = std::get_if<std::shared_ptr<List>>(&data);
  return p == nullptr ? nullptr : p->get();
}
Dict* Value::dict() const {
  const auto* p = std::get_if<std::shared_ptr<Dict>>(&data);
  return p == nullptr ? nullptr : p->get();
}
const Callable* Value::callable() const {
  const auto* p = std::get_if<std::shared_ptr<Callable>>(&data);
  return p == nullptr ? nullptr : p->get();
}

double Value::as_double() const {
  if (const auto* b = boolean()) return *b ? 1 : 0;
  if (const auto* n = integer()) return static_cast<double>(*n);
  if (const auto* x = real()) return *x;
  return 0;
}

bool Value::truthy() const {
  if (const auto* s = string()) return !s->empty();
  if (const auto* l = list()) return !l->empty();
  if (const auto* d = dict()) return !d->empty();
  if (is_number()) return as_double() != 0;
  return callable() != nullptr;
}

std::string Value::text(bool quoted, int depth) const {
  if (depth > kDepthMax) return "...";
  if (undefined()) return "";
  if (is_none()) return "None";
  if (const auto* b = boolean()) return *b ? "True" : "False";
  if (const auto* n = integer()) return fmt::format("{}", *n);
  if (const auto* x = real()) return float_text(*x);
  if (const auto* s = string()) return quoted ? quoted_text(*s) : *s;
  std::string out;
  if (const auto* l = list()) {
    for (const auto& item : *l) out += (out.empty() ? "" : ", ") + item.text(true, depth + 1);
    return "[" + out + "]";
  }
  if (const auto* d = dict()) {
    for (const auto& [key, value] : *d) {
      out += (out.empty() ? "" : ", ") + quoted_text(key) + ": " + value.text(true, depth + 1);
    }
    return "{" + out + "}";
  }
  return "<function>";
}

bool Value::equals(const Value& other) const {
  if (is_number() && other.is_number()) {
    if (integer() && other.integer()) return *integer() == *other.integer();
    return as_double() == other.as_double();
  }
  if (data.index() != other.data.index()) return false;
  if (const auto* s = string()) return *s == *other.string();
  if (const auto* l = list()) {
    return std::equal(l->begin(), l->end(), other.list()->begin(), other.list()->end(),
                      [](const Value& a, const Value& b) { return a.equals(b); });
  }
  if (const auto* d = dict()) {
    return d->size() == other.dict()->size() &&
           std::all_of(d->begin(), d->end(), [&](const auto& entry) {
             const Value* value = other.find(entry.first);
             return value != nullptr && entry.second.equals(*value);
           });
  }
  return undefined() || is_none();
}

const Value* Value::find(std::string_view key) const {
  if (const auto* d = dict()) {
    for (const auto& [name, value] : *d) {
      if (name == key) return &value;
    }
  }
  return nullptr;
}

void put(Dict& dict, const std::string& key, Value value) {
  for (auto& [name, old] : dict) {
    if (name == key) {
      old = std::move(value);
      return;
    }
  }
  dict.emplace_back(key, std::move(value));
}

Value from_json(const base::json::value& json) {
  switch (json.kind()) {
    case base::json::kind::null:
      return Value::none();
    case base::json::kind::bool_:
      return Value::of(json.get_bool());
    case base::json::kind::int64:
      return Value::of(json.get_int64());
    case base::json::kind::uint64:
      return Value::of(static_cast<double>(json.get_uint64()));
    case base::json::kind::double_:
      return Value::of(json.get_double());
    case base::json::kind::string:
      return Value::of(std::string(json.get_string()));
    case base::json::kind::array: {
      List list;
      for (const auto& item : json.get_array()) list.push_back(from_json(item));
      return Value::of(std::move(list));
    }
    case base::json::kind::object: {
      Dict dict;
      for (const auto& [key, value] : json.get_object()) {
        dict.emplace_back(std::string(key), from_json(value));
      }
      return Value::of(std::move(dict));
    }
  }
  return {};
}

absl::StatusOr<std::string> to_json_text(const Value& value, int indent, bool sort_keys,
                                         int depth) {
  if (depth > kDepthMax) return base::resource_exhausted("tojson: nested too deep");
  if (value.is_none()) return std::string("null");
  if (const auto* b = value.boolean()) return std::string(*b ? "true" : "false");
  if (const auto* s = value.string()) return json_string(*s);
  if (value.is_number()) return value.str();
  const std::string line =
      indent < 0 ? "" : "\n" + std::string(static_cast<std::size_t>(indent * (depth + 1)), ' ');
  const std::string last =
      indent < 0 ? "" : "\n" + std::string(static_cast<std::size_t>(indent * depth), ' ');
  const std::string comma = indent < 0 ? ", " : ",";
  std::string out;
  if (const auto* l = value.list()) {
    for (const auto& item : *l) {
      ASSIGN_OR_RETURN(const auto text, to_json_text(item, indent, sort_keys, depth + 1));
      out += (out.empty() ? "" : comma) + line + text;
    }
    return "[" + out + (l->empty() ? "" : last) + "]";
  }
  if (const auto* d = value.dict()) {
    Dict sorted = *d;
    if (sort_keys) {
      std::sort(sorted.begin(), sorted.end(),
                [](const auto& a, const auto& b) { return a.first < b.first; });
    }
    for (const auto& [key, item] : sorted) {
      ASSIGN_OR_RETURN(const auto text, to_json_text(item, indent, sort_keys, depth + 1));
      out += (out.empty() ? "" : comma) + line + json_string(key) + ": " + text;
    }
    return "{" + out + (d->empty() ? "" : last) + "}";
  }
  return base::invalid_argument("tojson: value has no JSON form");
}

}  // namespace plinth::model::jinja
