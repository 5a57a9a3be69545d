#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "model/jinja/lexer.h"
#include "model/jinja/syntax.h"

namespace plinth::model::jinja {

namespace {

// Operands side by side make a tree as high as they are many; evaluation recurses over it.
constexpr int kHeightMax = 250;

class Parser {
 public:
  Parser(std::vector<Token> tokens, std::size_t depth_max)
      : tokens_(std::move(tokens)), depth_max_(depth_max) {}

  absl::StatusOr<Body> run() {
    ASSIGN_OR_RETURN(Body body, statements({}));
    return body;
  }

 private:
  const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  bool is(std::string_view symbol) const {
    return (peek().kind == TokenKind::symbol || peek().kind == TokenKind::name) &&
           peek().text == symbol;
  }
  bool accept(std::string_view symbol) {
    if (!is(symbol)) return false;
    ++at_;
    return true;
  }
  absl::Status fail(std::string_view what) const {
    return base::invalid_argument(fmt::format("[template] line {}: {}", peek().line, what));
  }
  absl::Status expect(std::string_view symbol) {
    if (accept(symbol)) return absl::OkStatus();
    return fail(fmt::format("expected {}, found \"{}\"", symbol, peek().text));
  }
  absl::Status expect_block_end() {
    if (peek().kind != TokenKind::block_end) {
      return fail(fmt::format("expected the end of the block, found \"{}\"", peek().text));
    }
    ++at_;
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> name() {
    if (peek().kind != TokenKind::name) return fail("expected a name");
    return tokens_[at_++].text;
  }

  struct Deeper {
    explicit Deeper(std::size_t& counter) : depth(counter) { ++depth; }
    ~Deeper() { --depth; }
    std::size_t& depth;
  };

  // Until a block whose keyword is in `until`, which is left consumed up to and with the keyword.
  absl::StatusOr<Body> statements(const std::set<std::string>& until) {
    const Deeper deeper(depth_);
    if (depth_ > depth_max_) return fail("nested too deep");
    Body body;
    while (peek().kind != TokenKind::end) {
      auto statement = std::make_unique<Statement>();
      statement->line = peek().line;
      if (peek().kind == TokenKind::text) {
        statement->text = tokens_[at_++].text;
      } else if (peek().kind == TokenKind::output_begin) {
        ++at_;
        statement->block = Block::output;
        ASSIGN_OR_RETURN(statement->value, output_tuple());
        if (peek().kind != TokenKind::output_end) return fail("expected }}");
        ++at_;
      } else {
        ++at_;
        ASSIGN_OR_RETURN(const std::string keyword, name());
        if (until.contains(keyword)) {
          ended_by_ = keyword;
          return body;
        }
        RETURN_IF_ERROR(block(keyword, *statement));
      }
      body.push_back(std::move(statement));
    }
    if (!until.empty()) return fail(fmt::format("{} is missing", *until.rbegin()));
    return body;
  }

  absl::Status block(const std::string& keyword, Statement& statement) {
    if (keyword == "if") return branch(statement);
    if (keyword == "for") return loop(statement);
    if (keyword == "set") return assign(statement);
    if (keyword == "macro") return macro(statement);
    if (keyword == "call") return call_block(statement);
    if (keyword == "filter") return filter_block(statement);
    if (keyword == "with") return with_block(statement);
    if (keyword == "break" || keyword == "continue") {
      statement.block = keyword == "break" ? Block::stop_loop : Block::next_loop;
      return expect_block_end();
    }
    if (keyword == "generation") {
      statement.block = Block::group;
      RETURN_IF_ERROR(expect_block_end());
      ASSIGN_OR_RETURN(statement.body, statements({"endgeneration"}));
      return expect_block_end();
    }
    return fail(fmt::format("unknown block {}", keyword));
  }

  absl::Status branch(Statement& statement) {
    statement.block = Block::branch;
    ASSIGN_OR_RETURN(statement.value, expression());
    RETURN_IF_ERROR(expect_block_end());
    ASSIGN_OR_RETURN(statement.body, statements({"elif", "else", "endif"}));
    if (ended_by_ == "elif") {
      auto nested = std::make_unique<Statement>();
      nested->line = peek().line;
      const Deeper deeper(depth_);
      if (depth_ > depth_max_) return fail("nested too deep");
      RETURN_IF_ERROR(branch(*nested));
      statement.otherwise.push_back(std::move(nested));
      return absl::OkStatus();
    }
    if (ended_by_ == "else") {
      RETURN_IF_ERROR(expect_block_end());
      ASSIGN_OR_RETURN(statement.otherwise, statements({"endif"}));
    }
    return expect_block_end();
  }

  // a | a, b | (a, b), c
  absl::StatusOr<Target> target() {
    const Deeper deeper(depth_);
    if (depth_ > depth_max_) return fail("nested too deep");
    std::vector<Target> found;
    bool comma = false;
    do {
      if (comma && (is("in") || is("=") || is(")"))) break;
      if (accept("(")) {
        ASSIGN_OR_RETURN(auto inner, target());
        RETURN_IF_ERROR(expect(")"));
        found.push_back(std::move(inner));
      } else {
        Target one;
        ASSIGN_OR_RETURN(one.name, name());
        found.push_back(std::move(one));
      }
      comma = is(",");
    } while (accept(","));
    if (found.size() == 1 && !comma) return std::move(found[0]);
    Target several;
    several.several = std::move(found);
    return several;
  }

  absl::Status loop(Statement& statement) {
    statement.block = Block::loop;
    ASSIGN_OR_RETURN(statement.target, target());
    RETURN_IF_ERROR(expect("in"));
    ASSIGN_OR_RETURN(statement.value, tuple(false));
    if (accept("if")) {
      ASSIGN_OR_RETURN(statement.condition, expression());
    }
    statement.recursive = accept("recursive");
    RETURN_IF_ERROR(expect_block_end());
    ASSIGN_OR_RETURN(statement.body, statements({"else", "endfor"}));
    if (ended_by_ == "else") {
      RETURN_IF_ERROR(expect_block_end());
      ASSIGN_OR_RETURN(statement.otherwise, statements({"endfor"}));
    }
    return expect_block_end();
  }

  absl::Status assign(Statement& statement) {
    ASSIGN_OR_RETURN(statement.target, target());
    if (!statement.target.name.empty() && accept(".")) {
      ASSIGN_OR_RETURN(statement.attribute, name());
    }
    if (accept("=")) {
      statement.block = Block::assign;
      ASSIGN_OR_RETURN(statement.value, tuple(true));
      return expect_block_end();
    }
    statement.block = Block::capture;
    if (accept("|")) RETURN_IF_ERROR(filters(statement));
    RETURN_IF_ERROR(expect_block_end());
    ASSIGN_OR_RETURN(statement.body, statements({"endset"}));
    return expect_block_end();
  }

  // After the opening parenthesis.
  absl::Status parameters(Statement& statement) {
    while (!is(")")) {
      ASSIGN_OR_RETURN(auto parameter, name());
      statement.names.push_back(std::move(parameter));
      statement.defaults.emplace_back();
      if (accept("=")) {
        ASSIGN_OR_RETURN(statement.defaults.back(), expression());
      }
      if (!accept(",")) break;
    }
    return expect(")");
  }

  absl::Status macro(Statement& statement) {
    statement.block = Block::macro;
    ASSIGN_OR_RETURN(statement.text, name());
    RETURN_IF_ERROR(expect("("));
    RETURN_IF_ERROR(parameters(statement));
    RETURN_IF_ERROR(expect_block_end());
    ASSIGN_OR_RETURN(statement.body, statements({"endmacro"}));
    if (peek().kind == TokenKind::name) ++at_;
    return expect_block_end();
  }

  // {% call(user) list_users() %}...{% endcall %}: the body is the macro's caller().
  absl::Status call_block(Statement& statement) {
    statement.block = Block::call;
    statement.text = "caller";
    if (accept("(")) RETURN_IF_ERROR(parameters(statement));
    ASSIGN_OR_RETURN(statement.value, expression());
    if (statement.value->op != Op::call) return fail("expected a call");
    RETURN_IF_ERROR(expect_block_end());
    ASSIGN_OR_RETURN(statement.body, statements({"endcall"}));
    return expect_block_end();
  }

  // upper | replace("a", "b")
  absl::Status filters(Statement& statement) {
    do {
      auto filter = make(Op::filter, make(Op::literal));
      ASSIGN_OR_RETURN(filter->text, name());
      if (accept("(")) RETURN_IF_ERROR(arguments(*filter));
      statement.filters.push_back(std::move(filter));
    } while (accept("|"));
    return absl::OkStatus();
  }

  absl::Status filter_block(Statement& statement) {
    statement.block = Block::filter;
    RETURN_IF_ERROR(filters(statement));
    RETURN_IF_ERROR(expect_block_end());
    ASSIGN_OR_RETURN(statement.body, statements({"endfilter"}));
    return expect_block_end();
  }

  absl::Status with_block(Statement& statement) {
    statement.block = Block::with;
    while (peek().kind == TokenKind::name) {
      ASSIGN_OR_RETURN(auto variable, name());
      statement.names.push_back(std::move(variable));
      RETURN_IF_ERROR(expect("="));
      ASSIGN_OR_RETURN(auto value, expression());
      statement.defaults.push_back(std::move(value));
      if (!accept(",")) break;
    }
    RETURN_IF_ERROR(expect_block_end());
    ASSIGN_OR_RETURN(statement.body, statements({"endwith"}));
    return expect_block_end();
  }

  ExpressionPtr make(Op op, ExpressionPtr a = nullptr, ExpressionPtr b = nullptr) const {
    auto expression = std::make_unique<Expression>();
    expression->op = op;
    expression->line = peek().line;
    for (auto* part : {&a, &b}) {
      if (*part) add_part(*expression, std::move(*part));
    }
    return expression;
  }
  static void add_part(Expression& expression, ExpressionPtr part) {
    if (part) expression.height = std::max(expression.height, part->height + 1);
    expression.parts.push_back(std::move(part));
  }
  absl::Status check_height(const ExpressionPtr& expression) const {
    if (expression && expression->height > kHeightMax) return fail("expression is too long");
    return absl::OkStatus();
  }

  absl::StatusOr<ExpressionPtr> output_tuple() {
    ASSIGN_OR_RETURN(auto first, expression());
    if (!is(",")) return first;
    auto items = make(Op::tuple, std::move(first));
    while (accept(",")) {
      if (peek().kind == TokenKind::output_end) break;
      ASSIGN_OR_RETURN(auto item, expression());
      add_part(*items, std::move(item));
    }
    return items;
  }

  // An expression, or several with commas between them: a tuple. A loop's iterable ends before
  // the loop's own if.
  absl::StatusOr<ExpressionPtr> tuple(bool conditional) {
    const auto one = [&] { return conditional ? expression() : logical_or(); };
    ASSIGN_OR_RETURN(auto first, one());
    if (!is(",")) return first;
    auto items = make(Op::tuple, std::move(first));
    while (accept(",")) {
      if (peek().kind == TokenKind::block_end || is("if") || is("recursive")) break;
      ASSIGN_OR_RETURN(auto item, one());
      add_part(*items, std::move(item));
    }
    return items;
  }

  absl::StatusOr<ExpressionPtr> expression() {
    const Deeper deeper(depth_);
    if (depth_ > depth_max_) return fail("nested too deep");
    ASSIGN_OR_RETURN(auto value, logical_or());
    while (accept("if")) {
      auto whole = make(Op::conditional);
      ASSIGN_OR_RETURN(auto condition, logical_or());
      ExpressionPtr otherwise;
      if (accept("else")) {
        ASSIGN_OR_RETURN(otherwise, expression());
      }
      add_part(*whole, std::move(condition));
      add_part(*whole, std::move(value));
      add_part(*whole, std::move(otherwise));
      value = std::move(whole);
      RETURN_IF_ERROR(check_height(value));
    }
    return value;
  }

  absl::StatusOr<ExpressionPtr> logical_or() {
    ASSIGN_OR_RETURN(auto left, logical_and());
    while (accept("or")) {
      ASSIGN_OR_RETURN(auto right, logical_and());
      left = make(Op::logical_or, std::move(left), std::move(right));
      RETURN_IF_ERROR(check_height(left));
    }
    return left;
  }
  absl::StatusOr<ExpressionPtr> logical_and() {
    ASSIGN_OR_RETURN(auto left, logical_not());
    while (accept("and")) {
      ASSIGN_OR_RETURN(auto right, logical_not());
      left = make(Op::logical_and, std::move(left), std::move(right));
      RETURN_IF_ERROR(check_height(left));
    }
    return left;
  }
  absl::StatusOr<ExpressionPtr> logical_not() {
    const Deeper deeper(depth_);
    if (depth_ > depth_max_) return fail("nested too deep");
    if (!accept("not")) return comparison();
    ASSIGN_OR_RETURN(auto operand, logical_not());
    return make(Op::unary_not, std::move(operand));
  }

  absl::StatusOr<ExpressionPtr> comparison() {
    static constexpr std::pair<std::string_view, Op> kOps[] = {
        {"==", Op::equal}, {"!=", Op::not_equal}, {"<=", Op::less_equal}, {">=", Op::greater_equal},
        {"<", Op::less},   {">", Op::greater},    {"in", Op::in}};
    ASSIGN_OR_RETURN(auto left, sum());
    ExpressionPtr chain;
    while (true) {
      Op op = Op::literal;
      if (is("not") && peek(1).text == "in") {
        at_ += 2;
        op = Op::not_in;
      }
      for (const auto& [symbol, found] : kOps) {
        if (op == Op::literal && accept(symbol)) op = found;
      }
      if (op == Op::literal) return chain ? std::move(chain) : std::move(left);
      ASSIGN_OR_RETURN(auto right, sum());
      if (!chain) chain = make(Op::compare, std::move(left));
      add_part(*chain, std::move(right));
      chain->comparisons.push_back(op);
    }
  }

  using Level = absl::StatusOr<ExpressionPtr> (Parser::*)();
  absl::StatusOr<ExpressionPtr> binary(std::initializer_list<std::pair<std::string_view, Op>> ops,
                                       Level next) {
    ASSIGN_OR_RETURN(auto left, (this->*next)());
    while (true) {
      Op op = Op::literal;
      for (const auto& [symbol, found] : ops) {
        if (op == Op::literal && peek().kind == TokenKind::symbol && accept(symbol)) op = found;
      }
      if (op == Op::literal) return left;
      ASSIGN_OR_RETURN(auto right, (this->*next)());
      left = make(op, std::move(left), std::move(right));
      RETURN_IF_ERROR(check_height(left));
    }
  }
  absl::StatusOr<ExpressionPtr> sum() {
    return binary({{"+", Op::add}, {"-", Op::subtract}}, &Parser::concatenation);
  }
  absl::StatusOr<ExpressionPtr> concatenation() {
    return binary({{"~", Op::concat}}, &Parser::product);
  }
  absl::StatusOr<ExpressionPtr> product() {
    return binary(
        {{"*", Op::multiply}, {"//", Op::floor_divide}, {"/", Op::divide}, {"%", Op::modulo}},
        &Parser::power);
  }
  absl::StatusOr<ExpressionPtr> power() {
    ASSIGN_OR_RETURN(auto left, unary(true));
    while (peek().kind == TokenKind::symbol && accept("**")) {
      ASSIGN_OR_RETURN(auto right, unary(true));
      left = make(Op::power, std::move(left), std::move(right));
      RETURN_IF_ERROR(check_height(left));
    }
    return left;
  }
  // A sign binds closer than filters and powers: -2|abs is 2.
  absl::StatusOr<ExpressionPtr> unary(bool with_filters) {
    const Deeper deeper(depth_);
    if (depth_ > depth_max_) return fail("nested too deep");
    ExpressionPtr value;
    const bool minus = accept("-");
    if (minus || accept("+")) {
      ASSIGN_OR_RETURN(auto operand, unary(false));
      value = make(minus ? Op::negate : Op::plus, std::move(operand));
    } else {
      ASSIGN_OR_RETURN(value, primary());
    }
    ASSIGN_OR_RETURN(value, postfix(std::move(value)));
    if (with_filters) {
      ASSIGN_OR_RETURN(value, filtered(std::move(value)));
    }
    return value;
  }

  absl::StatusOr<ExpressionPtr> primary() {
    const Token& token = peek();
    auto literal = make(Op::literal);
    switch (token.kind) {
      case TokenKind::string:
        literal->value = Value::of(token.text);
        ++at_;
        while (peek().kind == TokenKind::string) {
          literal->value = Value::of(*literal->value.string() + tokens_[at_++].text);
        }
        return literal;
      case TokenKind::integer:
        literal->value = Value::of(static_cast<std::int64_t>(std::stoll(tokens_[at_++].text)));
        return literal;
      case TokenKind::real:
        literal->value = Value::of(std::stod(tokens_[at_++].text));
        return literal;
      case TokenKind::name: {
        const std::string text = tokens_[at_++].text;
        if (text == "true" || text == "True")
          literal->value = Value::of(true);
        else if (text == "false" || text == "False")
          literal->value = Value::of(false);
        else if (text == "none" || text == "None")
          literal->value = Value::none();
        else {
          literal->op = Op::name;
          literal->text = text;
        }
        return literal;
      }
      default:
        break;
    }
    if (accept("(")) return sequence(")", true);
    if (accept("[")) return sequence("]", false);
    if (accept("{")) return dictionary();
    return fail(fmt::format("expected an expression, found \"{}\"", token.text));
  }

  // A list, or in parentheses an expression or a tuple.
  absl::StatusOr<ExpressionPtr> sequence(std::string_view closing, bool parentheses) {
    auto list = make(parentheses ? Op::tuple : Op::list);
    bool comma = false;
    while (!is(closing)) {
      ASSIGN_OR_RETURN(auto item, expression());
      add_part(*list, std::move(item));
      if (!accept(",")) break;
      comma = true;
    }
    RETURN_IF_ERROR(expect(closing));
    if (parentheses && !comma && list->parts.size() == 1) return std::move(list->parts[0]);
    return list;
  }

  absl::StatusOr<ExpressionPtr> dictionary() {
    auto dict = make(Op::dict);
    while (!is("}")) {
      ASSIGN_OR_RETURN(auto key, expression());
      RETURN_IF_ERROR(expect(":"));
      ASSIGN_OR_RETURN(auto value, expression());
      add_part(*dict, std::move(key));
      add_part(*dict, std::move(value));
      if (!accept(",")) break;
    }
    RETURN_IF_ERROR(expect("}"));
    return dict;
  }

  absl::Status arguments(Expression& call) {
    // The first part is the callee or the filter's input.
    call.spread.assign(call.parts.size(), false);
    while (!is(")")) {
      if (accept("**")) {
        ASSIGN_OR_RETURN(call.spread_named, expression());
      } else if (accept("*")) {
        ASSIGN_OR_RETURN(auto value, expression());
        add_part(call, std::move(value));
        call.spread.push_back(true);
      } else if (peek().kind == TokenKind::name && peek(1).kind == TokenKind::symbol &&
                 peek(1).text == "=") {
        std::string key = tokens_[at_].text;
        at_ += 2;
        ASSIGN_OR_RETURN(auto value, expression());
        call.named.emplace_back(std::move(key), std::move(value));
      } else {
        ASSIGN_OR_RETURN(auto value, expression());
        add_part(call, std::move(value));
        call.spread.push_back(false);
      }
      if (!accept(",")) break;
    }
    return expect(")");
  }

  absl::StatusOr<ExpressionPtr> postfix(ExpressionPtr base) {
    while (true) {
      RETURN_IF_ERROR(check_height(base));
      if (accept(".")) {
        auto attribute = make(Op::attribute, std::move(base));
        if (peek().kind == TokenKind::integer) {
          attribute->text = tokens_[at_++].text;
        } else {
          ASSIGN_OR_RETURN(attribute->text, name());
        }
        base = std::move(attribute);
      } else if (accept("[")) {
        ASSIGN_OR_RETURN(base, subscript(std::move(base)));
      } else if (accept("(")) {
        auto call = make(Op::call, std::move(base));
        RETURN_IF_ERROR(arguments(*call));
        base = std::move(call);
      } else {
        return base;
      }
    }
  }

  absl::StatusOr<ExpressionPtr> filtered(ExpressionPtr base) {
    while (true) {
      RETURN_IF_ERROR(check_height(base));
      if (accept("|")) {
        auto filter = make(Op::filter, std::move(base));
        ASSIGN_OR_RETURN(filter->text, name());
        if (accept("(")) RETURN_IF_ERROR(arguments(*filter));
        base = std::move(filter);
      } else if (peek().kind == TokenKind::name && accept("is")) {
        ASSIGN_OR_RETURN(base, test(std::move(base)));
      } else if (accept("(")) {
        auto call = make(Op::call, std::move(base));
        RETURN_IF_ERROR(arguments(*call));
        base = std::move(call);
      } else {
        return base;
      }
    }
  }

  absl::StatusOr<ExpressionPtr> test(ExpressionPtr base) {
    auto test = make(Op::test, std::move(base));
    test->negated = accept("not");
    ASSIGN_OR_RETURN(test->text, name());
    if (accept("(")) {
      RETURN_IF_ERROR(arguments(*test));
    } else if (peek().kind == TokenKind::string || peek().kind == TokenKind::integer ||
               peek().kind == TokenKind::real || is("[") || is("{") ||
               (peek().kind == TokenKind::name && !is("and") && !is("or") && !is("else") &&
                !is("if") && !is("is") && !is("in") && !is("not"))) {
      ASSIGN_OR_RETURN(auto argument, primary());
      ASSIGN_OR_RETURN(argument, postfix(std::move(argument)));
      add_part(*test, std::move(argument));
    }
    return test;
  }

  absl::StatusOr<ExpressionPtr> subscript(ExpressionPtr base) {
    ExpressionPtr bounds[3];
    int colons = 0;
    for (int i = 0; i < 3; ++i) {
      if (!is(":") && !is("]")) {
        ASSIGN_OR_RETURN(bounds[i], expression());
      }
      if (!accept(":")) break;
      ++colons;
    }
    RETURN_IF_ERROR(expect("]"));
    if (colons == 0) {
      if (!bounds[0]) return fail("empty subscript");
      return make(Op::index, std::move(base), std::move(bounds[0]));
    }
    auto slice = make(Op::slice, std::move(base));
    for (auto& bound : bounds) add_part(*slice, std::move(bound));
    return slice;
  }

  const std::vector<Token> tokens_;
  const std::size_t depth_max_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::string ended_by_;
};

}  // namespace

absl::StatusOr<Body> parse(std::string_view source, std::size_t depth_max) {
  ASSIGN_OR_RETURN(auto tokens, tokenize(source));
  return Parser(std::move(tokens), depth_max).run();
}

}  // namespace plinth::model::jinja
