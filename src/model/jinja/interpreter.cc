#include "model/jinja/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "model/jinja/builtins.h"

namespace plinth::model::jinja {

namespace {

enum class Flow { normal, stop_loop, next_loop };

class Interpreter {
 public:
  Interpreter(Dict variables, const TemplateLimits& limits, std::int64_t unix_now)
      : limits_(limits), unix_now_(unix_now) {
    scopes_.push_back(std::move(variables));
    add_globals();
  }

  absl::StatusOr<std::string> run(const Body& body) {
    std::string out;
    RETURN_IF_ERROR(execute(body, out).status());
    return out;
  }

 private:
  absl::Status fail(int line, std::string_view what) const {
    return base::invalid_argument(fmt::format("[template] line {}: {}", line, what));
  }
  absl::Status tick() {
    if (++steps_ > limits_.steps_max) {
      return base::resource_exhausted(fmt::format("[template] over {} steps", limits_.steps_max));
    }
    return absl::OkStatus();
  }
  absl::Status emit(std::string& out, const std::string& text) {
    written_ += text.size();
    if (written_ > limits_.output_bytes_max) {
      return base::resource_exhausted(
          fmt::format("[template] output over {} bytes", limits_.output_bytes_max));
    }
    out += text;
    // Text costs steps too, so that a loop over long text is bounded.
    steps_ += text.size() / 64;
    return absl::OkStatus();
  }

  void add_globals() {
    const auto global = [&](const char* name, Callable callable) {
      put(globals_, name, Value::of(std::move(callable)));
    };
    global("raise_exception", [](const Arguments& a) -> absl::StatusOr<Value> {
      return base::invalid_argument(a.positional.empty() ? "raise_exception"
                                                         : a.positional[0].str());
    });
    global("namespace", [](const Arguments& a) -> absl::StatusOr<Value> {
      Dict dict =
          a.positional.empty() || !a.positional[0].dict() ? Dict{} : *a.positional[0].dict();
      for (const auto& [key, value] : a.named) put(dict, key, value);
      return Value::of(std::move(dict));
    });
    global("dict",
           [](const Arguments& a) -> absl::StatusOr<Value> { return Value::of(Dict(a.named)); });
    global("range", [this](const Arguments& a) -> absl::StatusOr<Value> {
      std::int64_t bounds[3] = {0, 0, 1};
      for (std::size_t i = 0; i < a.positional.size() && i < 3; ++i) {
        if (!a.positional[i].integer())
          return base::invalid_argument("[template] range needs integers");
        bounds[i] = *a.positional[i].integer();
      }
      if (a.positional.size() == 1) std::swap(bounds[0], bounds[1]);
      if (bounds[2] == 0) return base::invalid_argument("[template] range with step 0");
      List out;
      for (auto i = bounds[0]; bounds[2] > 0 ? i < bounds[1] : i > bounds[1]; i += bounds[2]) {
        // As Jinja's sandbox: a range of more is an attack.
        if (out.size() >= 100'000) return base::resource_exhausted("[template] range over 100000");
        RETURN_IF_ERROR(tick());
        out.push_back(Value::of(i));
      }
      return Value::of(std::move(out));
    });
    global("strftime_now", [this](const Arguments& a) -> absl::StatusOr<Value> {
      const std::time_t now = unix_now_;
      std::tm parts{};
      ::gmtime_r(&now, &parts);
      char text[256];
      const std::string format = a.positional.empty() ? "%Y-%m-%d" : a.positional[0].str();
      return Value::of(std::string(text, std::strftime(text, sizeof text, format.c_str(), &parts)));
    });
  }

  const Value* look_up(const std::string& name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      for (const auto& [key, value] : *scope) {
        if (key == name) return &value;
      }
    }
    for (const auto& [key, value] : globals_) {
      if (key == name) return &value;
    }
    return nullptr;
  }

  struct Scope {
    explicit Scope(std::vector<Dict>& all) : scopes(all) { scopes.emplace_back(); }
    ~Scope() { scopes.pop_back(); }
    std::vector<Dict>& scopes;
  };

  absl::StatusOr<Flow> execute(const Body& body, std::string& out) {
    for (const auto& statement : body) {
      RETURN_IF_ERROR(tick());
      ASSIGN_OR_RETURN(const Flow flow, execute(*statement, out));
      if (flow != Flow::normal) return flow;
    }
    return Flow::normal;
  }

  absl::StatusOr<Flow> execute(const Statement& s, std::string& out) {
    switch (s.block) {
      case Block::text:
        RETURN_IF_ERROR(emit(out, s.text));
        return Flow::normal;
      case Block::output: {
        ASSIGN_OR_RETURN(const Value value, evaluate(*s.value));
        RETURN_IF_ERROR(emit(out, value.str()));
        return Flow::normal;
      }
      case Block::branch: {
        ASSIGN_OR_RETURN(const Value condition, evaluate(*s.value));
        return execute(condition.truthy() ? s.body : s.otherwise, out);
      }
      case Block::loop:
        return loop(s, out);
      case Block::group:
        return execute(s.body, out);
      case Block::stop_loop:
        return Flow::stop_loop;
      case Block::next_loop:
        return Flow::next_loop;
      case Block::assign: {
        ASSIGN_OR_RETURN(Value value, evaluate(*s.value));
        RETURN_IF_ERROR(assign(s, std::move(value)));
        return Flow::normal;
      }
      case Block::capture: {
        std::string text;
        {
          const Scope scope(scopes_);
          RETURN_IF_ERROR(execute(s.body, text).status());
        }
        RETURN_IF_ERROR(assign(s, Value::of(std::move(text))));
        return Flow::normal;
      }
      case Block::macro:
        put(scopes_.back(), s.text,
            Value::of(Callable([this, &s](const Arguments& a) { return macro(s, a); })));
        return Flow::normal;
    }
    return Flow::normal;
  }

  absl::Status assign(const Statement& s, Value value) {
    if (!s.attribute.empty()) {
      const Value* space = look_up(s.names[0]);
      if (space == nullptr || space->dict() == nullptr) {
        return fail(s.line, s.names[0] + " is no namespace");
      }
      put(*space->dict(), s.attribute, std::move(value));
      return absl::OkStatus();
    }
    return bind(s.names, std::move(value), s.line);
  }

  absl::Status bind(const std::vector<std::string>& names, Value value, int line) {
    if (names.size() == 1) {
      put(scopes_.back(), names[0], std::move(value));
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const List parts, items_of(value));
    if (parts.size() != names.size()) {
      return fail(line,
                  fmt::format("cannot unpack {} values into {} names", parts.size(), names.size()));
    }
    for (std::size_t i = 0; i < names.size(); ++i) put(scopes_.back(), names[i], parts[i]);
    return absl::OkStatus();
  }

  absl::StatusOr<Flow> loop(const Statement& s, std::string& out) {
    ASSIGN_OR_RETURN(const Value iterable, evaluate(*s.value));
    auto all = items_of(iterable);
    if (!all.ok()) return fail(s.line, base::message(all.status()));
    List items;
    for (auto& item : *all) {
      RETURN_IF_ERROR(tick());
      if (s.condition) {
        const Scope scope(scopes_);
        RETURN_IF_ERROR(bind(s.names, item, s.line));
        ASSIGN_OR_RETURN(const Value keep, evaluate(*s.condition));
        if (!keep.truthy()) continue;
      }
      items.push_back(std::move(item));
    }
    if (items.empty()) {
      const Scope scope(scopes_);
      return execute(s.otherwise, out);
    }
    const auto count = static_cast<std::int64_t>(items.size());
    for (std::int64_t i = 0; i < count; ++i) {
      const Scope scope(scopes_);
      const auto at = [&](std::int64_t j) {
        return j >= 0 && j < count ? items[static_cast<std::size_t>(j)] : Value();
      };
      put(scopes_.back(), "loop",
          Value::of(Dict{{"index", Value::of(i + 1)},
                         {"index0", Value::of(i)},
                         {"revindex", Value::of(count - i)},
                         {"revindex0", Value::of(count - i - 1)},
                         {"first", Value::of(i == 0)},
                         {"last", Value::of(i + 1 == count)},
                         {"length", Value::of(count)},
                         {"previtem", at(i - 1)},
                         {"nextitem", at(i + 1)}}));
      RETURN_IF_ERROR(bind(s.names, at(i), s.line));
      ASSIGN_OR_RETURN(const Flow flow, execute(s.body, out));
      if (flow == Flow::stop_loop) break;
    }
    return Flow::normal;
  }

  absl::StatusOr<Value> macro(const Statement& s, const Arguments& a) {
    if (++depth_ > limits_.depth_max)
      return base::resource_exhausted("[template] calls nested too deep");
    // A macro sees the template's own variables and its parameters, not its caller's.
    std::vector<Dict> callers(std::make_move_iterator(scopes_.begin() + 1),
                              std::make_move_iterator(scopes_.end()));
    scopes_.resize(1);
    scopes_.emplace_back();
    absl::Status status;
    std::string out;
    for (std::size_t i = 0; i < s.names.size() && status.ok(); ++i) {
      const Value* named = a.named_value(s.names[i]);
      Value value;
      if (i < a.positional.size())
        value = a.positional[i];
      else if (named != nullptr)
        value = *named;
      else if (s.defaults[i]) {
        auto otherwise = evaluate(*s.defaults[i]);
        status = otherwise.status();
        if (otherwise.ok()) value = *std::move(otherwise);
      }
      put(scopes_.back(), s.names[i], std::move(value));
    }
    if (status.ok()) status = execute(s.body, out).status();
    scopes_.resize(1);
    std::move(callers.begin(), callers.end(), std::back_inserter(scopes_));
    --depth_;
    RETURN_IF_ERROR(status);
    // What the macro wrote is written again where its value goes.
    return Value::of(std::move(out));
  }

  absl::StatusOr<Arguments> arguments(const Expression& e, std::size_t from) {
    Arguments a;
    for (std::size_t i = from; i < e.parts.size(); ++i) {
      ASSIGN_OR_RETURN(auto value, evaluate(*e.parts[i]));
      a.positional.push_back(std::move(value));
    }
    for (const auto& [name, expression] : e.named) {
      ASSIGN_OR_RETURN(auto value, evaluate(*expression));
      a.named.emplace_back(name, std::move(value));
    }
    return a;
  }

  absl::StatusOr<Value> attribute(const Value& object, const std::string& name, int line) {
    if (object.undefined()) {
      return fail(line, fmt::format("'{}' is undefined", std::get<Undefined>(object.data).name));
    }
    if (const Value* found = object.find(name)) return *found;
    Value method = method_of(object, name, limits_.output_bytes_max);
    if (method.undefined()) return Value(Value::Data(Undefined{name}));
    return method;
  }

  absl::StatusOr<Value> index(const Value& object, const Value& key, int line) {
    if (key.string()) return attribute(object, *key.string(), line);
    if (object.undefined()) return attribute(object, "", line);
    if (!key.integer()) return Value();
    const auto at = [&](std::size_t size) -> std::int64_t {
      const auto i =
          *key.integer() < 0 ? *key.integer() + static_cast<std::int64_t>(size) : *key.integer();
      return i >= 0 && i < static_cast<std::int64_t>(size) ? i : -1;
    };
    if (const auto* l = object.list()) {
      const auto i = at(l->size());
      return i < 0 ? Value() : (*l)[static_cast<std::size_t>(i)];
    }
    if (const auto* s = object.string()) {
      auto parts = characters(*s);
      const auto i = at(parts.size());
      return i < 0 ? Value() : Value::of(std::move(parts[static_cast<std::size_t>(i)]));
    }
    return Value();
  }

  absl::StatusOr<Value> slice(const Expression& e, const Value& object) {
    std::int64_t bounds[3] = {0, 0, 1};
    bool given[3] = {};
    for (std::size_t i = 0; i < 3; ++i) {
      if (!e.parts[i + 1]) continue;
      ASSIGN_OR_RETURN(const Value bound, evaluate(*e.parts[i + 1]));
      if (bound.is_none()) continue;
      if (!bound.integer()) return fail(e.line, "slice bounds are integers");
      bounds[i] = *bound.integer();
      given[i] = true;
    }
    const std::int64_t step = bounds[2];
    if (step == 0) return fail(e.line, "slice step is 0");
    ASSIGN_OR_RETURN(const List items, items_of(object));
    const auto size = static_cast<std::int64_t>(items.size());
    const auto clamp = [&](std::int64_t i) {
      return std::clamp<std::int64_t>(i < 0 ? i + size : i, step > 0 ? 0 : -1,
                                      step > 0 ? size : size - 1);
    };
    const auto begin = given[0] ? clamp(bounds[0]) : (step > 0 ? 0 : size - 1);
    const auto end = given[1] ? clamp(bounds[1]) : (step > 0 ? size : -1);
    List out;
    for (auto i = begin; step > 0 ? i < end : i > end; i += step) {
      RETURN_IF_ERROR(tick());
      out.push_back(items[static_cast<std::size_t>(i)]);
    }
    if (object.string() == nullptr) return Value::of(std::move(out));
    std::string text;
    for (const auto& c : out) text += *c.string();
    return Value::of(std::move(text));
  }

  absl::StatusOr<Value> arithmetic(const Expression& e, const Value& a, const Value& b) {
    const auto bounded = [&](std::size_t size) -> absl::Status {
      steps_ += size / 64;
      if (size > limits_.output_bytes_max)
        return base::resource_exhausted("[template] value is too large");
      return absl::OkStatus();
    };
    if (e.op == Op::add && a.string() && b.string()) {
      RETURN_IF_ERROR(bounded(a.string()->size() + b.string()->size()));
      return Value::of(*a.string() + *b.string());
    }
    if (e.op == Op::add && a.list() && b.list()) {
      RETURN_IF_ERROR(bounded((a.list()->size() + b.list()->size()) * sizeof(Value)));
      List out = *a.list();
      out.insert(out.end(), b.list()->begin(), b.list()->end());
      return Value::of(std::move(out));
    }
    if (e.op == Op::multiply && a.string() && b.integer()) {
      const auto times =
          static_cast<std::size_t>(std::clamp<std::int64_t>(*b.integer(), 0, 1 << 26));
      RETURN_IF_ERROR(bounded(times * a.string()->size()));
      std::string out;
      for (std::size_t i = 0; i < times; ++i) out += *a.string();
      return Value::of(std::move(out));
    }
    if (!a.is_number() || !b.is_number()) {
      return fail(e.line, fmt::format("operands {} and {} do not fit", a.repr().substr(0, 40),
                                      b.repr().substr(0, 40)));
    }
    if (a.real() || b.real() || e.op == Op::divide || e.op == Op::power)
      return float_arithmetic(e, a, b);
    return integer_arithmetic(e, a.integer() ? *a.integer() : *a.boolean(),
                              b.integer() ? *b.integer() : *b.boolean());
  }

  absl::StatusOr<Value> integer_arithmetic(const Expression& e, std::int64_t x, std::int64_t y) {
    std::int64_t result = 0;
    bool overflow = false;
    switch (e.op) {
      case Op::add:
        overflow = __builtin_add_overflow(x, y, &result);
        break;
      case Op::subtract:
        overflow = __builtin_sub_overflow(x, y, &result);
        break;
      case Op::multiply:
        overflow = __builtin_mul_overflow(x, y, &result);
        break;
      default: {
        if (y == 0) return fail(e.line, "division by zero");
        if (y == -1) return integer_arithmetic_negated(e, x);
        const std::int64_t quotient = x / y - ((x % y != 0) && ((x < 0) != (y < 0)) ? 1 : 0);
        result = e.op == Op::floor_divide ? quotient : x - quotient * y;
      }
    }
    if (overflow) return fail(e.line, "integer overflow");
    return Value::of(result);
  }
  absl::StatusOr<Value> integer_arithmetic_negated(const Expression& e, std::int64_t x) {
    if (e.op == Op::modulo) return Value::of(std::int64_t{0});
    if (x == INT64_MIN) return fail(e.line, "integer overflow");
    return Value::of(-x);
  }

  absl::StatusOr<Value> float_arithmetic(const Expression& e, const Value& a, const Value& b) {
    const double x = a.as_double(), y = b.as_double();
    switch (e.op) {
      case Op::add:
        return Value::of(x + y);
      case Op::subtract:
        return Value::of(x - y);
      case Op::multiply:
        return Value::of(x * y);
      case Op::power: {
        const double power = std::pow(x, y);
        const bool whole = !a.real() && !b.real() && y >= 0 && std::fabs(power) < 9e15;
        return whole ? Value::of(static_cast<std::int64_t>(power)) : Value::of(power);
      }
      default:
        break;
    }
    if (y == 0) return fail(e.line, "division by zero");
    if (e.op == Op::divide) return Value::of(x / y);
    if (e.op == Op::floor_divide) return Value::of(std::floor(x / y));
    return Value::of(x - std::floor(x / y) * y);
  }

  absl::StatusOr<Value> comparison(const Expression& e, const Value& a, const Value& b) {
    if (e.op == Op::equal || e.op == Op::not_equal)
      return Value::of(a.equals(b) == (e.op == Op::equal));
    if (e.op == Op::in || e.op == Op::not_in) {
      ASSIGN_OR_RETURN(const bool found, contains(b, a));
      return Value::of(found == (e.op == Op::in));
    }
    ASSIGN_OR_RETURN(const int order, compare(a, b));
    switch (e.op) {
      case Op::less:
        return Value::of(order < 0);
      case Op::less_equal:
        return Value::of(order <= 0);
      case Op::greater:
        return Value::of(order > 0);
      default:
        return Value::of(order >= 0);
    }
  }

  absl::StatusOr<Value> evaluate(const Expression& e) {
    RETURN_IF_ERROR(tick());
    switch (e.op) {
      case Op::literal:
        return e.value;
      case Op::name: {
        const Value* found = look_up(e.text);
        return found ? *found : Value(Value::Data(Undefined{e.text}));
      }
      case Op::list: {
        List out;
        for (const auto& part : e.parts) {
          ASSIGN_OR_RETURN(auto item, evaluate(*part));
          out.push_back(std::move(item));
        }
        return Value::of(std::move(out));
      }
      case Op::dict: {
        Dict out;
        for (std::size_t i = 0; i + 1 < e.parts.size(); i += 2) {
          ASSIGN_OR_RETURN(const Value key, evaluate(*e.parts[i]));
          ASSIGN_OR_RETURN(auto item, evaluate(*e.parts[i + 1]));
          put(out, key.str(), std::move(item));
        }
        return Value::of(std::move(out));
      }
      case Op::conditional: {
        ASSIGN_OR_RETURN(const Value condition, evaluate(*e.parts[0]));
        if (condition.truthy()) return evaluate(*e.parts[1]);
        return e.parts[2] ? evaluate(*e.parts[2]) : Value();
      }
      default:
        break;
    }
    ASSIGN_OR_RETURN(Value first, evaluate(*e.parts[0]));
    return evaluate_with(e, std::move(first));
  }

  absl::StatusOr<Value> evaluate_with(const Expression& e, Value first) {
    switch (e.op) {
      case Op::attribute:
        return attribute(first, e.text, e.line);
      case Op::slice:
        return slice(e, first);
      case Op::unary_not:
        return Value::of(!first.truthy());
      case Op::negate:
        return first.real() ? Value::of(-*first.real())
                            : arithmetic(negation(e), Value::of(std::int64_t{0}), first);
      case Op::logical_and:
        return first.truthy() ? evaluate(*e.parts[1]) : std::move(first);
      case Op::logical_or:
        return first.truthy() ? std::move(first) : evaluate(*e.parts[1]);
      case Op::call: {
        if (!first.callable()) {
          return fail(e.line, e.parts[0]->text.empty() ? "value is not callable"
                                                       : e.parts[0]->text + " is not a function");
        }
        ASSIGN_OR_RETURN(const Arguments a, arguments(e, 1));
        return (*first.callable())(a);
      }
      case Op::filter: {
        ASSIGN_OR_RETURN(const Arguments a, arguments(e, 1));
        return apply_filter(e.text, first, a, limits_.output_bytes_max);
      }
      case Op::test: {
        ASSIGN_OR_RETURN(const Arguments a, arguments(e, 1));
        ASSIGN_OR_RETURN(const bool passed, apply_test(e.text, first, a));
        return Value::of(passed != e.negated);
      }
      default:
        break;
    }
    ASSIGN_OR_RETURN(const Value second, evaluate(*e.parts[1]));
    switch (e.op) {
      case Op::index:
        return index(first, second, e.line);
      case Op::concat: {
        std::string text = first.str() + second.str();
        steps_ += text.size() / 64;
        if (text.size() > limits_.output_bytes_max)
          return base::resource_exhausted("[template] value is too large");
        return Value::of(std::move(text));
      }
      case Op::add:
      case Op::subtract:
      case Op::multiply:
      case Op::divide:
      case Op::floor_divide:
      case Op::modulo:
      case Op::power:
        return arithmetic(e, first, second);
      default:
        return comparison(e, first, second);
    }
  }

  // -x as 0 - x, with x's line for the message.
  static Expression negation(const Expression& e) {
    Expression subtraction;
    subtraction.op = Op::subtract;
    subtraction.line = e.line;
    return subtraction;
  }

  const TemplateLimits& limits_;
  const std::int64_t unix_now_;
  std::vector<Dict> scopes_;
  Dict globals_;
  std::uint64_t steps_ = 0;
  std::size_t written_ = 0;
  std::size_t depth_ = 0;
};

}  // namespace

absl::StatusOr<std::string> run(const Body& body, Dict variables, const TemplateLimits& limits,
                                std::int64_t unix_now) {
  return Interpreter(std::move(variables), limits, unix_now).run(body);
}

}  // namespace plinth::model::jinja
