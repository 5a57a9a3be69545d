// Values of the template language: Python's, as far as templates use them.
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
};
using Callable = std::function<absl::StatusOr<Value>(const Arguments&)>;

struct Undefined {
  std::string name;
};
struct None {};

// Lists and dicts are shared (shared_ptr: Python's reference semantics, which namespace() needs).
class Value {
 public:
  using Data =
      std::variant<Undefined, None, bool, std::int64_t, double, std::string, std::shared_ptr<List>,
                   std::shared_ptr<Dict>, std::shared_ptr<Callable>>;
  Value() : data(Undefined{}) {}
  Value(Data d) : data(std::move(d)) {}  // NOLINT: a Value is any of its kinds
  static Value none() { return Value(Data(None{})); }
  static Value of(bool b) { return Value(Data(b)); }
  static Value of(std::int64_t n) { return Value(Data(n)); }
  static Value of(double x) { return Value(Data(x)); }
  static Value of(std::string s) { return Value(Data(std::move(s))); }
  static Value of(List l) { return Value(Data(std::make_shared<List>(std::move(l)))); }
  static Value of(Dict d) { return Value(Data(std::make_shared<Dict>(std::move(d)))); }
  static Value of(Callable c) { return Value(Data(std::make_shared<Callable>(std::move(c)))); }

  bool undefined() const { return std::holds_alternative<Undefined>(data); }
  bool is_none() const { return std::holds_alternative<None>(data); }
  const bool* boolean() const { return std::get_if<bool>(&data); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&data); }
  const double* real() const { return std::get_if<double>(&data); }
  const std::string* string() const { return std::get_if<std::string>(&data); }
  List* list() const;
  Dict* dict() const;
  const Callable* callable() const;
  bool is_number() const { return boolean() || integer() || real(); }
  double as_double() const;

  bool truthy() const;
  // Python's str(); an undefined value prints as nothing.
  std::string str() const { return text(false, 0); }
  // Python's repr().
  std::string repr() const { return text(true, 0); }
  bool equals(const Value& other) const;
  const Value* find(std::string_view key) const;  // of a dict

  Data data;

 private:
  std::string text(bool quoted, int depth) const;
};

// A set of an existing or new key.
void put(Dict& dict, const std::string& key, Value value);
Value from_json(const base::json::value& json);
// json.dumps(ensure_ascii=False), with indent where it is not negative.
absl::StatusOr<std::string> to_json_text(const Value& value, int indent, bool sort_keys,
                                         int depth = 0);

}  // namespace plinth::model::jinja
