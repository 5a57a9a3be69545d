#include "api/openai/graders/formula.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "api/openai/graders/grader_limits.h"

namespace plinth::api {

namespace {

struct Function {
  std::string_view name;
  std::size_t least, most;  // arguments
  double (*apply)(const std::vector<double>&);
};

constexpr Function kFunctions[] = {
    {"+", 2, 2, [](const std::vector<double>& x) { return x[0] + x[1]; }},
    {"-", 2, 2, [](const std::vector<double>& x) { return x[0] - x[1]; }},
    {"*", 2, 2, [](const std::vector<double>& x) { return x[0] * x[1]; }},
    {"/", 2, 2, [](const std::vector<double>& x) { return x[0] / x[1]; }},
    {"^", 2, 2, [](const std::vector<double>& x) { return std::pow(x[0], x[1]); }},
    {"negative", 1, 1, [](const std::vector<double>& x) { return -x[0]; }},
    {"abs", 1, 1, [](const std::vector<double>& x) { return std::abs(x[0]); }},
    {"floor", 1, 1, [](const std::vector<double>& x) { return std::floor(x[0]); }},
    {"ceil", 1, 1, [](const std::vector<double>& x) { return std::ceil(x[0]); }},
    {"exp", 1, 1, [](const std::vector<double>& x) { return std::exp(x[0]); }},
    {"sqrt", 1, 1, [](const std::vector<double>& x) { return std::sqrt(x[0]); }},
    {"log", 1, 1, [](const std::vector<double>& x) { return std::log(x[0]); }},
    {"min", 1, 64,
     [](const std::vector<double>& x) { return *std::min_element(x.begin(), x.end()); }},
    {"max", 1, 64,
     [](const std::vector<double>& x) { return *std::max_element(x.begin(), x.end()); }},
};

const Function* function_named(std::string_view name) {
  const auto* found = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                   [&](const auto& one) { return one.name == name; });
  return found == std::end(kFunctions) ? nullptr : found;
}

bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

class FormulaParser {
 public:
  explicit FormulaParser(std::string_view text) : text_(text) {}

  absl::StatusOr<Formula> parse() {
    if (text_.size() > kFormulaBytesMax) return wrong("the formula is too long");
    RETURN_IF_ERROR(sum().status());
    skip_spaces();
    if (at_ != text_.size()) return wrong("nothing may follow here");
    return std::move(formula_);
  }

 private:
  using Node = Formula::Node;
  using Kind = Formula::Kind;
  using Index = absl::StatusOr<std::size_t>;

  absl::Status wrong(std::string_view what) const {
    return base::invalid_argument(fmt::format("at character {}: {}", at_ + 1, what));
  }
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n'))
      ++at_;
  }
  bool take(char c) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::size_t add(Node node) {
    formula_.nodes_.push_back(std::move(node));
    return formula_.nodes_.size() - 1;
  }
  std::size_t call(std::string name, std::vector<std::size_t> from) {
    return add({Kind::call, 0, std::move(name), std::move(from)});
  }

  Index sum() {
    ASSIGN_OR_RETURN(auto left, product());
    for (;;) {
      const char op = take('+') ? '+' : take('-') ? '-' : '\0';
      if (op == '\0') return left;
      ASSIGN_OR_RETURN(const auto right, product());
      left = call(std::string(1, op), {left, right});
    }
  }
  Index product() {
    ASSIGN_OR_RETURN(auto left, signed_one());
    for (;;) {
      const char op = take('*') ? '*' : take('/') ? '/' : '\0';
      if (op == '\0') return left;
      ASSIGN_OR_RETURN(const auto right, signed_one());
      left = call(std::string(1, op), {left, right});
    }
  }
  // -a ^ b is -(a ^ b), and a ^ b ^ c is a ^ (b ^ c).
  Index signed_one() {
    if (++depth_ > kFormulaDepthMax) return wrong("it is nested too deeply");
    const bool negative = take('-');
    Index one = negative ? signed_one() : primary();
    if (one.ok() && negative) one = call("negative", {*one});
    if (one.ok() && !negative && take('^')) {
      const auto left = *one;
      one = signed_one();
      if (one.ok()) one = call("^", {left, *one});
    }
    --depth_;
    return one;
  }
  Index primary() {
    if (take('(')) {
      ASSIGN_OR_RETURN(const auto inner, sum());
      if (!take(')')) return wrong("a \")\" is missing");
      return inner;
    }
    skip_spaces();
    if (at_ == text_.size()) return wrong("a number or a name is missing");
    if (is_digit(text_[at_]) || text_[at_] == '.') return number();
    if (begins_name(text_[at_])) return name_or_call();
    return wrong("this is no number and no name");
  }
  Index number() {
    double value = 0;
    const auto [end, error] =
        std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc()) return wrong("this is no number");
    at_ = static_cast<std::size_t>(end - text_.data());
    return add({Kind::number, value, "", {}});
  }
  Index name_or_call() {
    const auto begin = at_;
    while (at_ < text_.size() && (begins_name(text_[at_]) || is_digit(text_[at_]))) ++at_;
    std::string name(text_.substr(begin, at_ - begin));
    if (!take('(')) return add({Kind::name, 0, std::move(name), {}});
    const auto* function = function_named(name);
    if (function == nullptr) return wrong(fmt::format("there is no function {}", name));
    std::vector<std::size_t> from;
    do {
      ASSIGN_OR_RETURN(const auto argument, sum());
      from.push_back(argument);
    } while (take(','));
    if (!take(')')) return wrong("a \")\" is missing");
    if (from.size() < function->least || from.size() > function->most)
      return wrong(fmt::format("{} does not take {} values", name, from.size()));
    return call(std::move(name), std::move(from));
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  Formula formula_;
};

absl::StatusOr<Formula> Formula::parse(std::string_view text) {
  return FormulaParser(text).parse();
}

std::set<std::string> Formula::names() const {
  std::set<std::string> names;
  for (const auto& node : nodes_)
    if (node.kind == Kind::name) names.insert(node.name);
  return names;
}

absl::StatusOr<double> Formula::value(const std::map<std::string, double>& values) const {
  std::vector<double> results;
  for (const auto& node : nodes_) {
    if (node.kind == Kind::number) {
      results.push_back(node.number);
    } else if (node.kind == Kind::name) {
      const auto found = values.find(node.name);
      if (found == values.end())
        return base::invalid_argument(fmt::format("{} has no value", node.name));
      results.push_back(found->second);
    } else {
      std::vector<double> arguments;
      for (const auto from : node.from) arguments.push_back(results[from]);
      results.push_back(function_named(node.name)->apply(arguments));
    }
  }
  if (!std::isfinite(results.back())) return base::invalid_argument("the result is no number");
  return results.back();
}

}  // namespace plinth::api
