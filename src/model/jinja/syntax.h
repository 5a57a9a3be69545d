// Source to syntax tree. Jinja 3's grammar, with trim_blocks and lstrip_blocks on, as Hugging Face
// compiles chat templates.
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
  dict,
  unary_not,
  negate,
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
  Value value;                       // literal
  std::string text;                  // name, attribute, filter, test
  bool negated = false;              // is not
  std::vector<ExpressionPtr> parts;  // operands; call: callee then positional; slice: 4, some null
  std::vector<std::pair<std::string, ExpressionPtr>> named;  // keyword arguments; dict: by position
};

enum class Block {
  text,
  output,
  branch,
  loop,
  assign,
  capture,
  macro,
  stop_loop,
  next_loop,
  group
};

struct Statement;
using Body = std::vector<std::unique_ptr<Statement>>;

struct Statement {
  Block block = Block::text;
  int line = 0;
  std::string text;                     // text; macro's name
  std::vector<std::string> names;       // loop and assign targets; macro parameters
  std::string attribute;                // set ns.attribute
  ExpressionPtr value;                  // output, assign, loop's iterable, branch's condition
  ExpressionPtr condition;              // loop's filter
  std::vector<ExpressionPtr> defaults;  // macro: by parameter, null where it has none
  Body body, otherwise;
};

absl::StatusOr<Body> parse(std::string_view source, std::size_t depth_max);

}  // namespace plinth::model::jinja
