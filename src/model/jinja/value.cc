#include "model/jinja/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/tokenize/unicode.h"

namespace plinth::model::jinja {

namespace {

constexpr int kDepthMax = 128;
constexpr std::uint64_t kWeightCap = std::uint64_t{1} << 40;

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

std::string json_string(const std::string& s, bool ensure_ascii) {
  std::string out = "\"";
  for (std::string_view rest = s; !rest.empty();) {
    const Character c = first_character(rest);
    const std::string_view bytes = rest.substr(0, c.bytes);
    rest.remove_prefix(c.bytes);
    static constexpr std::string_view kEscaped = "\"\\\n\r\t\b\f", kLetters = "\"\\nrtbf";
    const auto escaped = c.bytes == 1 ? kEscaped.find(bytes[0]) : std::string_view::npos;
    if (escaped != std::string_view::npos) {
      out += '\\';
      out += kLetters[escaped];
    } else if (c.code < 32 || (ensure_ascii && c.code == 127)) {
      out += fmt::format("\\u{:04x}", c.code);
    } else if (!ensure_ascii || c.code < 128) {
      out += bytes;
    } else if (c.code < 0x10000) {
      out += fmt::format("\\u{:04x}", c.code);
    } else {
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((c.code - 0x10000) >> 10),
                         0xDC00 + ((c.code - 0x10000) & 0x3FF));
    }
  }
  return out + "\"";
}

// What stands for "something in here is foreign" where bytes have no meaning.
const Origin& foreign_mark() {
  static const Origin kMark = std::make_shared<const std::string>();
  return kMark;
}

}  // namespace

const Value* Arguments::named_value(std::string_view name) const {
  for (const auto& [key, value] : named) {
    if (key == name) return &value;
  }
  return nullptr;
}

bool Arguments::foreign() const {
  return std::any_of(positional.begin(), positional.end(),
                     [](const Value& v) { return v.origin; }) ||
         std::any_of(named.begin(), named.end(), [](const auto& n) { return n.second.origin; });
}

Value Value::of(std::string s, Origin from) {
  Value value = of(std::move(s));
  value.origin = std::move(from);
  return value;
}
Value Value::of(List l) {
  const bool foreign = std::any_of(l.begin(), l.end(), [](const Value& v) { return v.origin; });
  std::int32_t inner = 0;
  std::uint64_t weight = 1;
  for (const Value& item : l) {
    inner = std::max(inner, item.depth);
    weight = std::min(weight + item.weight, kWeightCap);
  }
  Value value(Data(std::make_shared<List>(std::move(l))));
  value.depth = inner + 1;
  value.weight = weight;
  if (foreign) value.origin = foreign_mark();
  return value;
}
Value Value::of(Dict d) {
  const bool foreign =
      std::any_of(d.begin(), d.end(), [](const auto& entry) { return entry.second.origin; });
  std::int32_t inner = 0;
  std::uint64_t weight = 1;
  for (const auto& [key, item] : d) {
    inner = std::max(inner, item.depth);
    weight = std::min(weight + item.weight + key.size() / 16, kWeightCap);
  }
  Value value(Data(std::make_shared<Dict>(std::move(d))));
  value.depth = inner + 1;
  value.weight = weight;
  if (foreign) value.origin = foreign_mark();
  return value;
}
Value Value::tuple(List l) {
  Value value = of(std::move(l));
  value.data = Tuple{std::get<std::shared_ptr<List>>(value.data)};
  return value;
}
Value Value::name_space(Dict d) {
  Value value(Data(Namespace{std::make_shared<Dict>(std::move(d))}));
  value.origin = foreign_mark();  // what it will hold is not known yet
  return value;
}
Value Value::foreign_text(std::string s) {
  auto from = std::make_shared<const std::string>(s.size(), '\1');
  return of(std::move(s), std::move(from));
}

const List* Value::list() const {
  if (const auto* t = std::get_if<Tuple>(&data)) return t->items.get();
  const auto* p = std::get_if<std::shared_ptr<List>>(&data);
  return p == nullptr ? nullptr : p->get();
}
const Dict* Value::dict() const {
  const auto* p = std::get_if<std::shared_ptr<Dict>>(&data);
  return p == nullptr ? nullptr : p->get();
}
Dict* Value::name_space() const {
  const auto* p = std::get_if<Namespace>(&data);
  return p == nullptr ? nullptr : p->members.get();
}
std::string_view Value::type_name() const {
  static constexpr std::string_view kNames[] = {"Undefined", "NoneType",  "bool",    "int",
                                                "float",     "str",       "list",    "tuple",
                                                "dict",      "Namespace", "function"};
  return kNames[data.index()];
}

Value Value::as_text() const {
  if (string() != nullptr) return *this;
  return origin ? foreign_text(str()) : of(str());
}

Value Value::part(std::size_t at, std::size_t count) const {
  const std::string& whole = *string();
  if (!origin) return of(whole.substr(at, count));
  return of(whole.substr(at, count),
            std::make_shared<const std::string>(origin->substr(at, count)));
}

Value Value::made_foreign() const {
  if (origin) return *this;
  if (const auto* s = string()) return foreign_text(*s);
  if (const auto* l = list()) {
    List items;
    for (const Value& item : *l) items.push_back(item.made_foreign());
    Value value = is_tuple() ? tuple(std::move(items)) : of(std::move(items));
    value.origin = foreign_mark();
    return value;
  }
  if (const auto* d = dict()) {
    Dict entries;
    for (const auto& [key, item] : *d) entries.emplace_back(key, item.made_foreign());
    Value value = of(std::move(entries));
    value.origin = foreign_mark();
    return value;
  }
  return *this;
}

void TextBuilder::add(const Value& value) {
  const Value shown = value.as_text();
  if (shown.origin) {
    origin_.resize(text_.size());
    origin_ += *shown.origin;
  }
  text_ += *shown.string();
}
void TextBuilder::add(std::string_view own) { text_ += own; }
Value TextBuilder::value() && {
  if (origin_.empty()) return Value::of(std::move(text_));
  origin_.resize(text_.size());
  return Value::of(std::move(text_), std::make_shared<const std::string>(std::move(origin_)));
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
  return callable() != nullptr || name_space() != nullptr;
}

std::string Value::text(bool quoted, int level) const {
  if (level > kDepthMax) return "...";
  if (undefined()) return "";
  if (is_none()) return "None";
  if (const auto* b = boolean()) return *b ? "True" : "False";
  if (const auto* n = integer()) return fmt::format("{}", *n);
  if (const auto* x = real()) return float_text(*x);
  if (const auto* s = string()) return quoted ? quoted_text(*s) : *s;
  std::string out;
  if (const auto* l = list()) {
    bool first = true;
    for (const auto& item : *l) {
      if (!std::exchange(first, false)) out += ", ";
      out += item.text(true, level + 1);
    }
    if (is_tuple()) return "(" + out + (l->size() == 1 ? ",)" : ")");
    return "[" + out + "]";
  }
  if (name_space() != nullptr) return "<Namespace>";
  if (const auto* d = dict()) {
    for (const auto& [key, value] : *d) {
      out += (out.empty() ? "" : ", ") + quoted_text(key) + ": " + value.text(true, level + 1);
    }
    return "{" + out + "}";
  }
  return "<function>";
}

bool Value::equals(const Value& other, int level) const {
  if (level > kDepthMax) return false;
  if (is_number() && other.is_number()) {
    if (integer() && other.integer()) return *integer() == *other.integer();
    return as_double() == other.as_double();
  }
  if (data.index() != other.data.index()) return false;
  if (const auto* s = string()) return *s == *other.string();
  if (const auto* l = list()) {
    return std::equal(l->begin(), l->end(), other.list()->begin(), other.list()->end(),
                      [&](const Value& a, const Value& b) { return a.equals(b, level + 1); });
  }
  if (const auto* d = dict()) {
    return d->size() == other.dict()->size() &&
           std::all_of(d->begin(), d->end(), [&](const auto& entry) {
             const Value* value = other.find(entry.first);
             return value != nullptr && entry.second.equals(*value, level + 1);
           });
  }
  return undefined() || is_none();
}

const Value* Value::find(std::string_view key) const {
  const Dict* d = name_space() != nullptr ? name_space() : dict();
  if (d == nullptr) return nullptr;
  for (const auto& [name, value] : *d) {
    if (name == key) return &value;
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

namespace {

bool names_a_role(const Value& value) {
  const auto* s = value.string();
  return s != nullptr && s->size() <= 32 && std::all_of(s->begin(), s->end(), [](char c) {
           return (c >= 'a' && c <= 'z') || c == '_';
         });
}

}  // namespace

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
      return Value::foreign_text(std::string(json.get_string()));
    case base::json::kind::array: {
      List list;
      for (const auto& item : json.get_array()) list.push_back(from_json(item));
      Value value = Value::of(std::move(list));
      value.origin = foreign_mark();
      return value;
    }
    case base::json::kind::object: {
      Dict dict;
      for (const auto& [key, value] : json.get_object()) {
        dict.emplace_back(std::string(key), from_json(value));
        // A role chooses a control token ('<|' + role + '|>') and cannot spell one.
        if (key == "role" && names_a_role(dict.back().second)) dict.back().second.origin = nullptr;
      }
      Value value = Value::of(std::move(dict));
      value.origin = foreign_mark();  // its keys are foreign too
      return value;
    }
  }
  return {};
}

namespace {

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, std::size_t bytes_max)
      : style_(style), bytes_max_(bytes_max) {}

  absl::Status write(const Value& value, int depth) {
    if (depth > kDepthMax) return base::resource_exhausted("[template] tojson: nested too deep");
    if (out_.size() > bytes_max_)
      return base::resource_exhausted("[template] tojson makes too much text");
    if (value.is_none()) {
      out_ += "null";
    } else if (const auto* b = value.boolean()) {
      out_ += *b ? "true" : "false";
    } else if (const auto* s = value.string()) {
      out_ += json_string(*s, style_.ensure_ascii);
    } else if (value.is_number()) {
      out_ += number(value);
    } else if (const auto* l = value.list()) {
      return list(*l, depth);
    } else if (const auto* d = value.dict()) {
      return dict(*d, depth);
    } else {
      return base::invalid_argument(fmt::format(
          "[template] tojson: Object of type {} is not JSON serializable", value.type_name()));
    }
    return absl::OkStatus();
  }
  std::string take() { return std::move(out_); }

 private:
  static std::string number(const Value& value) {
    const auto* x = value.real();
    if (x != nullptr && std::isnan(*x)) return "NaN";
    if (x != nullptr && std::isinf(*x)) return *x > 0 ? "Infinity" : "-Infinity";
    return value.str();
  }
  void line(int depth) {
    if (style_.indent < 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(style_.indent * depth), ' ');
  }
  absl::Status list(const List& items, int depth) {
    out_ += '[';
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      line(depth + 1);
      RETURN_IF_ERROR(write(items[i], depth + 1));
    }
    if (!items.empty()) line(depth);
    out_ += ']';
    return absl::OkStatus();
  }
  absl::Status dict(const Dict& entries, int depth) {
    std::vector<const std::pair<std::string, Value>*> order;
    for (const auto& entry : entries) order.push_back(&entry);
    if (style_.sort_keys) {
      std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->first < b->first; });
    }
    out_ += '{';
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      line(depth + 1);
      out_ += json_string(order[i]->first, style_.ensure_ascii) + style_.key_separator;
      RETURN_IF_ERROR(write(order[i]->second, depth + 1));
    }
    if (!entries.empty()) line(depth);
    out_ += '}';
    return absl::OkStatus();
  }

  const JsonStyle& style_;
  const std::size_t bytes_max_;
  std::string out_;
};

}  // namespace

absl::StatusOr<std::string> to_json_text(const Value& value, const JsonStyle& style,
                                         std::size_t bytes_max) {
  JsonWriter writer(style, bytes_max);
  RETURN_IF_ERROR(writer.write(value, 0));
  return writer.take();
}

}  // namespace plinth::model::jinja
