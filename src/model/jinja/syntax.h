// Source to syntax tree. Jinja 3's grammar, with trim_blocks and lstrip_blocks on and the loop
// controls extension, as Hugging Face compiles chat templates.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/jinja/value.h"

namespace plinth::model::jinja {

enum class Op {
  literal,
  name,
  attribute,
  index,
  slice,
  call,
  filter,
  test,
  list,
  tuple,
  dict,
  unary_not,
  negate,
  plus,
  logical_and,
  logical_or,
  conditional,
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  concat,
  compare,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  not_in,
};

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Expression {
  Op op = Op::literal;
  int line = 0;
  int height = 1;
  Value value;                       // literal
  std::string text;                  // name, attribute, filter, test
  bool negated = false;              // is not
  std::vector<ExpressionPtr> parts;  // operands; call: callee then positional; slice: 4, some null
  std::vector<Op> comparisons;       // compare: between parts i and i + 1, as Python chains them
  std::vector<std::pair<std::string, ExpressionPtr>> named;  // keyword arguments
  std::vector<bool> spread;    // call: by positional argument, whether it is *argument
  ExpressionPtr spread_named;  // call: **argument
};

enum class Block {
  text,
  output,
  branch,
  loop,
  assign,
  capture,
  macro,
  call,
  filter,
  with,
  stop_loop,
  next_loop,
  group
};

// What a value is bound to: a name, or as many targets as it has elements.
struct Target {
  std::string name;
  std::vector<Target> several;
};

struct Statement;
using Body = std::vector<std::unique_ptr<Statement>>;

struct Statement {
  Block block = Block::text;
  int line = 0;
  std::string text;                     // text; macro's name
  Target target;                        // loop and assign
  std::vector<std::string> names;       // macro and call: parameters; with: names
  std::string attribute;                // set ns.attribute
  bool recursive = false;               // loop
  ExpressionPtr value;                  // output, assign, loop's iterable, branch's condition, call
  ExpressionPtr condition;              // loop's filter
  std::vector<ExpressionPtr> defaults;  // by parameter, null where it has none; with: values
  // filter and capture: filters in order, each with a first operand that the body takes.
  std::vector<ExpressionPtr> filters;
  Body body, otherwise;
};

absl::StatusOr<Body> parse(std::string_view source, std::size_t depth_max);

}  // namespace plinth::model::jinja
