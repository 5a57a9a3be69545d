// Values of the template language: Python's, as far as templates use them.
//
// A string knows which of its bytes came from the request rather than from the template, so that
// control tokens count only where the template wrote them. Operations that do not say otherwise
// make everything foreign that anything foreign went into.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace plinth::model::jinja {

class Value;
using List = std::vector<Value>;
// Keeps insertion order, as Python's dict; templates' dicts are small.
using Dict = std::vector<std::pair<std::string, Value>>;
struct Arguments {
  List positional;
  Dict named;
  const Value* named_value(std::string_view name) const;
  bool foreign() const;
};
using Callable = std::function<absl::StatusOr<Value>(const Arguments&)>;

struct Undefined {
  std::string name;
};
struct None {};
struct Tuple {
  std::shared_ptr<List> items;
};
struct Namespace {
  std::shared_ptr<Dict> members;
};

// Shared: a list of a thousand times one long string holds it once.
using Text = std::shared_ptr<const std::string>;

// By byte of a string: 1 where it came from the request.
using Origin = std::shared_ptr<const std::string>;

// Lists and dicts are shared too (Python's reference semantics). Templates cannot change them; only
// a namespace changes.
class Value {
 public:
  using Data =
      std::variant<Undefined, None, bool, std::int64_t, double, Text, std::shared_ptr<List>, Tuple,
                   std::shared_ptr<Dict>, Namespace, std::shared_ptr<Callable>>;
  Value() : data(Undefined{}) {}
  Value(Data d) : data(std::move(d)) {}  // NOLINT: a Value is any of its kinds
  static Value none() { return Value(Data(None{})); }
  static Value of(bool b) { return Value(Data(b)); }
  static Value of(std::int64_t n) { return Value(Data(n)); }
  static Value of(double x) { return Value(Data(x)); }
  static Value of(std::string s) {
    Value value(Data(std::make_shared<const std::string>(std::move(s))));
    value.weight = 1 + value.string()->size() / 16;
    return value;
  }
  static Value of(std::string s, Origin origin);
  static Value of(List l);
  static Value of(Dict d);
  static Value of(Callable c) { return Value(Data(std::make_shared<Callable>(std::move(c)))); }
  static Value tuple(List l);
  static Value name_space(Dict d);
  // All of it from the request.
  static Value foreign_text(std::string s);

  bool undefined() const { return std::holds_alternative<Undefined>(data); }
  bool is_none() const { return std::holds_alternative<None>(data); }
  const bool* boolean() const { return std::get_if<bool>(&data); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&data); }
  const double* real() const { return std::get_if<double>(&data); }
  const std::string* string() const {
    const auto* text = std::get_if<Text>(&data);
    return text == nullptr ? nullptr : text->get();
  }
  const List* list() const;  // of a list or a tuple
  bool is_tuple() const { return std::holds_alternative<Tuple>(data); }
  const Dict* dict() const;
  Dict* name_space() const;
  const Callable* callable() const;
  bool is_number() const { return boolean() || integer() || real(); }
  double as_double() const;
  // "str", "list", ...: Python's name of the type.
  std::string_view type_name() const;

  bool truthy() const;
  // Python's str(); an undefined value prints as nothing.
  std::string str() const { return text(false, 0); }
  // Python's repr().
  std::string repr() const { return text(true, 0); }
  // str() as a Value that knows where its bytes came from.
  Value as_text() const;
  bool equals(const Value& other) const { return equals(other, 0); }
  const Value* find(std::string_view key) const;  // of a dict or a namespace

  // Bytes [at, at + count) of a string.
  Value part(std::size_t at, std::size_t count) const;
  // The same with everything in it foreign that does not know where it came from.
  Value made_foreign() const;

  Data data;
  // Of lists, dicts and functions: levels within, so that no template can nest without end.
  std::int32_t depth = 0;
  // Values within, each as often as it occurs, and a part of their text: what printing or comparing
  // costs, however much of it is shared.
  std::uint64_t weight = 1;
  // Not null where anything in it is foreign; of a string, by byte.
  Origin origin;

 private:
  std::string text(bool quoted, int level) const;
  bool equals(const Value& other, int level) const;
};

// Text with the origin of its bytes, growing at its end.
class TextBuilder {
 public:
  void add(const Value& value);
  void add(std::string_view own);
  std::size_t size() const { return text_.size(); }
  Value value() &&;
  const std::string& text() const { return text_; }
  // As long as the text, or shorter where the rest is the template's own.
  const std::string& origin() const { return origin_; }

 private:
  std::string text_, origin_;
};

// A set of an existing or new key.
void put(Dict& dict, const std::string& key, Value value);
// Everything in it is foreign.
Value from_json(const base::json::value& json);

struct JsonStyle {
  int indent = -1;  // below 0: on one line
  bool sort_keys = false, ensure_ascii = false;
  std::string item_separator = ", ", key_separator = ": ";
};
// Python's json.dumps.
absl::StatusOr<std::string> to_json_text(const Value& value, const JsonStyle& style,
                                         std::size_t bytes_max);

}  // namespace plinth::model::jinja
