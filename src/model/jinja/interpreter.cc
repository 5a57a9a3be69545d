#include "model/jinja/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "model/jinja/arguments.h"
#include "model/jinja/builtins.h"
#include "model/jinja/operators.h"

namespace plinth::model::jinja {

namespace {

enum class Flow { normal, stop_loop, next_loop };

// Statements and expressions within each other while running, macros included: each is a few
// hundred bytes of stack.
constexpr std::size_t kNestingMax = 500;
// Levels of lists within lists that a variable may hold.
constexpr std::int32_t kValueDepthMax = 100;
// Values that an expression may hold, each as often as it occurs, and their text by 16 bytes. A
// request of 16 MiB has at most half as many.
constexpr std::uint64_t kWeightMax = std::uint64_t{1} << 24;
// What a value that must not be kept has as its depth.
constexpr std::int32_t kNotKept = kValueDepthMax + 1;
// Macros and namespaces made while running. The largest family template makes 10.
constexpr std::size_t kMacrosMax = 1000, kNamespacesMax = 100'000;
// As Jinja's sandbox: a range of more is an attack.
constexpr std::size_t kRangeMax = 100'000;

using Scope = std::shared_ptr<Dict>;
using Scopes = std::vector<Scope>;

class Interpreter {
 public:
  Interpreter(Dict variables, const TemplateLimits& limits, std::int64_t unix_now)
      : limits_(limits), unix_now_(unix_now) {
    scopes_.push_back(std::make_shared<Dict>(std::move(variables)));
    add_globals();
  }
  // Macros hold the scopes that hold them, and a namespace may hold itself.
  ~Interpreter() {
    for (const auto& weak : kept_) {
      if (const auto dict = weak.lock()) Dict().swap(*dict);
    }
  }
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  absl::StatusOr<TextBuilder> run(const Body& body) {
    TextBuilder out;
    RETURN_IF_ERROR(execute(body, out).status());
    return out;
  }

 private:
  absl::Status fail(int line, std::string_view what) const {
    return base::invalid_argument(fmt::format("[template] line {}: {}", line, what));
  }
  // The line in front of a message that has none yet.
  absl::Status at_line(int line, const absl::Status& status) const {
    constexpr std::string_view kOurs = "[template] ";
    const std::string_view text = base::message(status);
    const bool plain = text.starts_with(kOurs) && !text.starts_with("[template] line ");
    if (plain && status.code() == absl::StatusCode::kInvalidArgument) {
      return fail(line, text.substr(kOurs.size()));
    }
    if (plain && status.code() == absl::StatusCode::kResourceExhausted) {
      return base::resource_exhausted(
          fmt::format("[template] line {}: {}", line, text.substr(kOurs.size())));
    }
    return status;
  }
  absl::Status tick(std::size_t cost = 1) {
    steps_ += cost;
    if (steps_ > limits_.steps_max) {
      return base::resource_exhausted(fmt::format("[template] over {} steps", limits_.steps_max));
    }
    return absl::OkStatus();
  }
  // Text costs steps too, so that a loop over long text is bounded.
  absl::Status tick_for(const Value& value) {
    if (const auto* s = value.string()) return tick(s->size() / 64);
    if (const auto* l = value.list()) return tick(l->size() / 4);
    if (const auto* d = value.dict()) return tick(d->size() / 4);
    return absl::OkStatus();
  }
  absl::Status emit(TextBuilder& out, const Value& value) {
    const std::size_t before = out.size();
    out.add(value);
    return written(out.size() - before);
  }
  absl::Status written(std::size_t bytes) {
    written_ += bytes;
    if (written_ > limits_.output_bytes_max) {
      return base::resource_exhausted(
          fmt::format("[template] output over {} bytes", limits_.output_bytes_max));
    }
    return tick(bytes / 64);
  }

  struct Nested {
    explicit Nested(std::size_t& counter) : depth(counter) { ++depth; }
    ~Nested() { --depth; }
    std::size_t& depth;
  };
  absl::Status check_nesting() const {
    if (nesting_ > kNestingMax) return base::resource_exhausted("[template] nested too deep");
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
    global("namespace", [this](const Arguments& a) { return make_namespace(a); });
    global("dict", [](const Arguments& a) -> absl::StatusOr<Value> {
      Dict out = a.positional.empty() || !a.positional[0].dict() ? Dict{} : *a.positional[0].dict();
      for (const auto& [key, value] : a.named) put(out, key, value);
      return Value::of(std::move(out));
    });
    global("range", [this](const Arguments& a) { return range(a); });
    global("strftime_now", [this](const Arguments& a) -> absl::StatusOr<Value> {
      const std::time_t now = unix_now_;
      std::tm parts{};
      ::gmtime_r(&now, &parts);
      char text[256];
      const std::string format = text_argument(a, 0, "format", "%Y-%m-%d");
      const auto size = std::strftime(text, sizeof text, format.c_str(), &parts);
      if (size == 0 && !format.empty()) return wrong("strftime_now: format is too long");
      Value now_text = Value::of(std::string(text, size));
      return a.foreign() ? now_text.made_foreign() : std::move(now_text);
    });
  }

  absl::StatusOr<Value> make_namespace(const Arguments& a) {
    Dict dict = a.positional.empty() || !a.positional[0].dict() ? Dict{} : *a.positional[0].dict();
    for (const auto& [key, value] : a.named) {
      if (value.depth > kValueDepthMax) return wrong("namespace: value is nested too deep");
      put(dict, key, value);
    }
    Value made = Value::name_space(std::move(dict));
    RETURN_IF_ERROR(keep(std::get<Namespace>(made.data).members, kNamespacesMax));
    return made;
  }
  absl::Status keep(const Scope& dict, std::size_t count_max) {
    if (kept_.size() >= count_max)
      return base::resource_exhausted("[template] too many macros or namespaces");
    kept_.push_back(dict);
    return absl::OkStatus();
  }

  absl::StatusOr<Value> range(const Arguments& a) {
    std::int64_t bounds[3] = {0, 0, 1};
    if (a.positional.empty()) return wrong("range needs an end");
    for (std::size_t i = 0; i < a.positional.size() && i < 3; ++i) {
      if (!a.positional[i].integer()) return wrong("range needs integers");
      bounds[i] = *a.positional[i].integer();
    }
    if (a.positional.size() == 1) std::swap(bounds[0], bounds[1]);
    if (bounds[2] == 0) return wrong("range with step 0");
    List out;
    for (auto i = bounds[0]; bounds[2] > 0 ? i < bounds[1] : i > bounds[1];) {
      if (out.size() >= kRangeMax)
        return base::resource_exhausted(fmt::format("[template] range over {}", kRangeMax));
      RETURN_IF_ERROR(tick());
      out.push_back(Value::of(i));
      if (__builtin_add_overflow(i, bounds[2], &i)) break;
    }
    return Value::of(std::move(out));
  }

  const Value* look_up(const std::string& name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      for (const auto& [key, value] : **scope) {
        if (key == name) return &value;
      }
    }
    for (const auto& [key, value] : globals_) {
      if (key == name) return &value;
    }
    return nullptr;
  }

  struct Inner {
    explicit Inner(Scopes& all) : scopes(all) { scopes.push_back(std::make_shared<Dict>()); }
    ~Inner() { scopes.pop_back(); }
    Scopes& scopes;
  };

  absl::StatusOr<Flow> execute(const Body& body, TextBuilder& out) {
    const Nested nested(nesting_);
    RETURN_IF_ERROR(check_nesting());
    for (const auto& statement : body) {
      if (const auto bound = tick(); !bound.ok()) return at_line(statement->line, bound);
      const auto flow = execute(*statement, out);
      if (!flow.ok()) return at_line(statement->line, flow.status());
      if (*flow != Flow::normal) return flow;
    }
    return Flow::normal;
  }

  absl::StatusOr<Flow> execute(const Statement& s, TextBuilder& out) {
    switch (s.block) {
      case Block::text:
        out.add(s.text);
        RETURN_IF_ERROR(written(s.text.size()));
        return Flow::normal;
      case Block::output: {
        ASSIGN_OR_RETURN(const Value value, evaluate(*s.value));
        RETURN_IF_ERROR(emit(out, value));
        return Flow::normal;
      }
      case Block::branch: {
        ASSIGN_OR_RETURN(const Value condition, evaluate(*s.value));
        return execute(condition.truthy() ? s.body : s.otherwise, out);
      }
      case Block::loop: {
        ASSIGN_OR_RETURN(const Value iterable, evaluate(*s.value));
        return loop(s, iterable, out, 1);
      }
      case Block::group: {
        const Inner scope(scopes_);
        return execute(s.body, out);
      }
      case Block::stop_loop:
        return Flow::stop_loop;
      case Block::next_loop:
        return Flow::next_loop;
      case Block::assign: {
        ASSIGN_OR_RETURN(Value value, evaluate(*s.value));
        RETURN_IF_ERROR(assign(s, std::move(value)));
        return Flow::normal;
      }
      case Block::capture:
      case Block::filter:
        return filtered(s, out);
      case Block::with:
        return with(s, out);
      case Block::macro: {
        RETURN_IF_ERROR(keep(scopes_.back(), kMacrosMax + kNamespacesMax));
        if (++macros_ > kMacrosMax) return base::resource_exhausted("[template] too many macros");
        put(*scopes_.back(), s.text, closure(s));
        return Flow::normal;
      }
      case Block::call:
        return call_block(s, out);
    }
    return Flow::normal;
  }

  // {% set x | f %}...{% endset %} and {% filter f %}...{% endfilter %}.
  absl::StatusOr<Flow> filtered(const Statement& s, TextBuilder& out) {
    TextBuilder inner;
    {
      const Inner scope(scopes_);
      RETURN_IF_ERROR(execute(s.body, inner).status());
    }
    Value text = std::move(inner).value();
    for (const auto& filter : s.filters) {
      ASSIGN_OR_RETURN(const Arguments a, arguments(*filter));
      auto result = apply_filter(filter->text, text, a, limits_.output_bytes_max);
      if (!result.ok()) return at_line(s.line, result.status());
      text = *std::move(result);
    }
    if (s.block == Block::capture) {
      RETURN_IF_ERROR(assign(s, std::move(text)));
    } else {
      RETURN_IF_ERROR(emit(out, text));
    }
    return Flow::normal;
  }

  absl::StatusOr<Flow> with(const Statement& s, TextBuilder& out) {
    List values;
    for (const auto& value : s.defaults) {
      ASSIGN_OR_RETURN(auto found, evaluate(*value));
      values.push_back(std::move(found));
    }
    const Inner scope(scopes_);
    for (std::size_t i = 0; i < values.size(); ++i) {
      RETURN_IF_ERROR(set(s.names[i], std::move(values[i]), s.line));
    }
    return execute(s.body, out);
  }

  // The body becomes the caller() of the macro that is called.
  absl::StatusOr<Flow> call_block(const Statement& s, TextBuilder& out) {
    ASSIGN_OR_RETURN(const Value callee, evaluate(*s.value->parts[0]));
    if (!callee.callable()) return fail(s.line, "call block needs a macro");
    ASSIGN_OR_RETURN(Arguments a, arguments(*s.value));
    // It holds this place's variables: kept in one of them it would never go.
    Value caller = closure(s);
    caller.depth = kNotKept;
    put(a.named, "caller", std::move(caller));
    ASSIGN_OR_RETURN(const Value value, (*callee.callable())(a));
    RETURN_IF_ERROR(emit(out, value));
    return Flow::normal;
  }

  absl::Status assign(const Statement& s, Value value) {
    if (s.attribute.empty()) return bind(s.target, std::move(value), s.line);
    const Value* space = look_up(s.target.name);
    if (space == nullptr || space->name_space() == nullptr) {
      return fail(s.line, "cannot assign attribute on non-namespace object");
    }
    if (value.depth > kValueDepthMax) return fail(s.line, "value is nested too deep");
    put(*space->name_space(), s.attribute, std::move(value));
    return absl::OkStatus();
  }

  absl::Status set(const std::string& name, Value value, int line) {
    if (value.depth > kValueDepthMax) return fail(line, "value is nested too deep");
    put(*scopes_.back(), name, std::move(value));
    return absl::OkStatus();
  }

  absl::Status bind(const Target& target, Value value, int line) {
    if (target.several.empty()) return set(target.name, std::move(value), line);
    const auto parts = items_of(value);
    if (!parts.ok()) return at_line(line, parts.status());
    if (parts->size() != target.several.size()) {
      return fail(line, fmt::format("cannot unpack {} values into {} names", parts->size(),
                                    target.several.size()));
    }
    for (std::size_t i = 0; i < parts->size(); ++i)
      RETURN_IF_ERROR(bind(target.several[i], (*parts)[i], line));
    return absl::OkStatus();
  }

  absl::StatusOr<List> loop_items(const Statement& s, const Value& iterable) {
    auto all = items_of(iterable);
    if (!all.ok()) return at_line(s.line, all.status());
    RETURN_IF_ERROR(tick(all->size()));
    if (!s.condition) return all;
    List items;
    for (auto& item : *all) {
      const Inner scope(scopes_);
      RETURN_IF_ERROR(bind(s.target, item, s.line));
      ASSIGN_OR_RETURN(const Value keep_it, evaluate(*s.condition));
      if (keep_it.truthy()) items.push_back(std::move(item));
    }
    return items;
  }

  absl::StatusOr<Flow> loop(const Statement& s, const Value& iterable, TextBuilder& out,
                            std::int64_t depth) {
    ASSIGN_OR_RETURN(const List items, loop_items(s, iterable));
    if (items.empty()) {
      const Inner scope(scopes_);
      return execute(s.otherwise, out);
    }
    const auto last = std::make_shared<List>();  // loop.changed's last arguments
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Inner scope(scopes_);
      put(*scopes_.back(), "loop", loop_object(s, items, i, depth, last));
      RETURN_IF_ERROR(bind(s.target, items[i], s.line));
      ASSIGN_OR_RETURN(const Flow flow, execute(s.body, out));
      if (flow == Flow::stop_loop) break;
    }
    return Flow::normal;
  }

  Value loop_object(const Statement& s, const List& items, std::size_t at, std::int64_t depth,
                    const std::shared_ptr<List>& last) {
    const auto count = static_cast<std::int64_t>(items.size());
    const auto i = static_cast<std::int64_t>(at);
    Dict loop = {{"index", Value::of(i + 1)},
                 {"index0", Value::of(i)},
                 {"revindex", Value::of(count - i)},
                 {"revindex0", Value::of(count - i - 1)},
                 {"first", Value::of(i == 0)},
                 {"last", Value::of(i + 1 == count)},
                 {"length", Value::of(count)},
                 {"depth", Value::of(depth)},
                 {"depth0", Value::of(depth - 1)},
                 {"previtem", at > 0 ? items[at - 1] : Value()},
                 {"nextitem", at + 1 < items.size() ? items[at + 1] : Value()},
                 {"cycle", Value::of(Callable([at](const Arguments& a) -> absl::StatusOr<Value> {
                    if (a.positional.empty()) return wrong("no items for cycling given");
                    return a.positional[at % a.positional.size()];
                  }))},
                 {"changed", changed(last)}};
    if (s.recursive) {
      // Under the empty name: what calling the loop does.
      loop.emplace_back("", Value::of(Callable([this, &s, depth](const Arguments& a) {
                          return recurse(s, a, depth);
                        })));
    }
    return Value::of(std::move(loop));
  }

  // Weakly: the last arguments may hold the loop that holds this function.
  static Value changed(const std::weak_ptr<List>& last) {
    return Value::of(Callable([last](const Arguments& a) -> absl::StatusOr<Value> {
      const auto before = last.lock();
      if (before == nullptr) return wrong("the loop has ended");
      const bool same = !before->empty() && Value::of(*before).equals(Value::of(a.positional));
      *before = a.positional;
      return Value::of(!same);
    }));
  }

  absl::StatusOr<Value> recurse(const Statement& s, const Arguments& a, std::int64_t depth) {
    if (a.positional.empty()) return fail(s.line, "loop needs what to go over");
    const Nested nested(nesting_);
    RETURN_IF_ERROR(check_nesting());
    TextBuilder out;
    RETURN_IF_ERROR(loop(s, a.positional[0], out, depth + 1).status());
    return std::move(out).value();
  }

  // A macro or the body of a call block, with the variables of the place where it stands.
  Value closure(const Statement& s) {
    return Value::of(
        Callable([this, &s, scopes = scopes_](const Arguments& a) { return macro(s, scopes, a); }));
  }

  absl::StatusOr<Value> macro(const Statement& s, const Scopes& scopes, const Arguments& a) {
    const Nested nested(nesting_);
    RETURN_IF_ERROR(check_nesting());
    if (++depth_ > limits_.depth_max) {
      --depth_;
      return base::resource_exhausted("[template] calls nested too deep");
    }
    Scopes callers = std::exchange(scopes_, scopes);
    scopes_.push_back(std::make_shared<Dict>());
    TextBuilder out;
    absl::Status status = bind_parameters(s, a);
    if (status.ok()) status = execute(s.body, out).status();
    scopes_ = std::move(callers);
    --depth_;
    RETURN_IF_ERROR(status);
    return std::move(out).value();
  }

  absl::Status bind_parameters(const Statement& s, const Arguments& a) {
    Dict& mine = *scopes_.back();
    for (std::size_t i = 0; i < s.names.size(); ++i) {
      const Value* named = a.named_value(s.names[i]);
      Value value(Value::Data(Undefined{s.names[i]}));
      if (i < a.positional.size()) {
        value = a.positional[i];
      } else if (named != nullptr) {
        value = *named;
      } else if (s.defaults[i]) {
        ASSIGN_OR_RETURN(value, evaluate(*s.defaults[i]));
      }
      RETURN_IF_ERROR(set(s.names[i], std::move(value), s.line));
    }
    List rest;
    for (std::size_t i = s.names.size(); i < a.positional.size(); ++i)
      rest.push_back(a.positional[i]);
    Dict extra;
    for (const auto& [name, value] : a.named) {
      if (std::find(s.names.begin(), s.names.end(), name) != s.names.end()) continue;
      if (name == "caller") {
        put(mine, name, value);
      } else {
        extra.emplace_back(name, value);
      }
    }
    RETURN_IF_ERROR(set("varargs", Value::tuple(std::move(rest)), s.line));
    return set("kwargs", Value::of(std::move(extra)), s.line);
  }

  // Those after the callee or the filter's input.
  absl::StatusOr<Arguments> arguments(const Expression& e) {
    Arguments a;
    for (std::size_t i = 1; i < e.parts.size(); ++i) {
      ASSIGN_OR_RETURN(auto value, evaluate(*e.parts[i]));
      if (i < e.spread.size() && e.spread[i]) {
        ASSIGN_OR_RETURN(const List items, items_of(value));
        a.positional.insert(a.positional.end(), items.begin(), items.end());
      } else {
        a.positional.push_back(std::move(value));
      }
    }
    for (const auto& [name, expression] : e.named) {
      ASSIGN_OR_RETURN(auto value, evaluate(*expression));
      put(a.named, name, std::move(value));
    }
    if (e.spread_named) {
      ASSIGN_OR_RETURN(const Value extra, evaluate(*e.spread_named));
      if (!extra.dict()) return fail(e.line, "argument after ** is no dict");
      for (const auto& [name, value] : *extra.dict()) put(a.named, name, value);
    }
    return a;
  }

  absl::StatusOr<Value> attribute(const Value& object, const std::string& name, int line) {
    if (object.undefined()) {
      return fail(line, fmt::format("'{}' is undefined", std::get<Undefined>(object.data).name));
    }
    if (const Value* found = object.find(name)) return *found;
    RETURN_IF_ERROR(tick_for(object));
    Value method = method_of(object, name, limits_.output_bytes_max);
    if (method.undefined()) return Value(Value::Data(Undefined{name}));
    return method;
  }

  // a["x"] is an entry before it is a method; a.x the other way round for a dict's own methods.
  absl::StatusOr<Value> member(const Value& object, const std::string& name, int line) {
    if (object.dict() != nullptr) {
      Value method = method_of(object, name, limits_.output_bytes_max);
      if (!method.undefined()) return method;
    }
    return attribute(object, name, line);
  }

  absl::StatusOr<Value> index(const Value& object, const Value& key, int line) {
    if (key.string()) return attribute(object, *key.string(), line);
    if (object.undefined()) return attribute(object, "", line);
    if (!key.integer()) return Value();
    RETURN_IF_ERROR(tick_for(object));
    return element(object, *key.integer());
  }

  absl::StatusOr<Value> slice_of(const Expression& e, const Value& object) {
    Value bounds[3] = {Value::none(), Value::none(), Value::none()};
    for (std::size_t i = 0; i < 3; ++i) {
      if (!e.parts[i + 1]) continue;
      ASSIGN_OR_RETURN(bounds[i], evaluate(*e.parts[i + 1]));
    }
    RETURN_IF_ERROR(tick_for(object));
    auto out = slice(object, bounds);
    return out.ok() ? std::move(out) : at_line(e.line, out.status());
  }

  // a < b < c holds where both do; b is evaluated once.
  absl::StatusOr<Value> compare_chain(const Expression& e) {
    ASSIGN_OR_RETURN(Value left, evaluate(*e.parts[0]));
    for (std::size_t i = 0; i < e.comparisons.size(); ++i) {
      ASSIGN_OR_RETURN(Value right, evaluate(*e.parts[i + 1]));
      RETURN_IF_ERROR(tick(std::min(left.weight, right.weight) / 4));
      if (e.comparisons[i] == Op::in || e.comparisons[i] == Op::not_in)
        RETURN_IF_ERROR(tick_for(right));
      const auto holds = comparison(e.comparisons[i], left, right);
      if (!holds.ok()) return at_line(e.line, holds.status());
      if (!*holds) return Value::of(false);
      left = std::move(right);
    }
    return Value::of(true);
  }

  absl::StatusOr<Value> sequence(const Expression& e) {
    List out;
    for (const auto& part : e.parts) {
      ASSIGN_OR_RETURN(auto item, evaluate(*part));
      out.push_back(std::move(item));
    }
    return e.op == Op::tuple ? Value::tuple(std::move(out)) : Value::of(std::move(out));
  }

  absl::StatusOr<Value> dictionary(const Expression& e) {
    Dict out;
    bool foreign_keys = false;
    for (std::size_t i = 0; i + 1 < e.parts.size(); i += 2) {
      ASSIGN_OR_RETURN(const Value key, evaluate(*e.parts[i]));
      ASSIGN_OR_RETURN(auto item, evaluate(*e.parts[i + 1]));
      if (!key.string() && !key.is_number() && !key.is_none())
        return fail(e.line, fmt::format("a {} is no key here", key.type_name()));
      foreign_keys = foreign_keys || key.origin;
      put(out, key.str(), std::move(item));
    }
    Value dict = Value::of(std::move(out));
    return foreign_keys ? dict.made_foreign() : std::move(dict);
  }

  absl::StatusOr<Value> evaluate(const Expression& e) {
    const Nested nested(nesting_);
    RETURN_IF_ERROR(check_nesting());
    RETURN_IF_ERROR(tick());
    auto value = evaluate_unbounded(e);
    if (value.ok() && value->weight > kWeightMax)
      return base::resource_exhausted("[template] value is too large");
    return value;
  }

  absl::StatusOr<Value> evaluate_unbounded(const Expression& e) {
    switch (e.op) {
      case Op::literal:
        return e.value;
      case Op::name: {
        const Value* found = look_up(e.text);
        if (found == nullptr) return Value(Value::Data(Undefined{e.text}));
        return *found;
      }
      case Op::list:
      case Op::tuple:
        return sequence(e);
      case Op::dict:
        return dictionary(e);
      case Op::compare:
        return compare_chain(e);
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

  absl::StatusOr<Value> call(const Expression& e, const Value& callee) {
    const Value* target = &callee;
    if (callee.dict() != nullptr && callee.find("") != nullptr) target = callee.find("");
    if (!target->callable()) {
      return fail(e.line, e.parts[0]->text.empty() ? "value is not callable"
                                                   : e.parts[0]->text + " is not a function");
    }
    ASSIGN_OR_RETURN(const Arguments a, arguments(e));
    auto out = (*target->callable())(a);
    return out.ok() ? std::move(out) : at_line(e.line, out.status());
  }

  absl::StatusOr<Value> evaluate_with(const Expression& e, Value first) {
    switch (e.op) {
      case Op::attribute:
        return member(first, e.text, e.line);
      case Op::slice:
        return slice_of(e, first);
      case Op::unary_not:
        return Value::of(!first.truthy());
      case Op::negate: {
        auto out = negated(first);
        return out.ok() ? std::move(out) : at_line(e.line, out.status());
      }
      case Op::plus:
        return first;
      case Op::logical_and:
        return first.truthy() ? evaluate(*e.parts[1]) : std::move(first);
      case Op::logical_or:
        return first.truthy() ? std::move(first) : evaluate(*e.parts[1]);
      case Op::call:
        return call(e, first);
      case Op::filter: {
        ASSIGN_OR_RETURN(const Arguments a, arguments(e));
        if (!one_of(e.text, {"length", "count", "default", "d"})) RETURN_IF_ERROR(tick_for(first));
        auto out = apply_filter(e.text, first, a, limits_.output_bytes_max);
        if (!out.ok()) return at_line(e.line, out.status());
        RETURN_IF_ERROR(tick_for(*out));
        return out;
      }
      case Op::test: {
        ASSIGN_OR_RETURN(const Arguments a, arguments(e));
        const auto passed = apply_test(e.text, first, a);
        if (!passed.ok()) return at_line(e.line, passed.status());
        return Value::of(*passed != e.negated);
      }
      default:
        break;
    }
    ASSIGN_OR_RETURN(const Value second, evaluate(*e.parts[1]));
    if (e.op == Op::index) return index(first, second, e.line);
    auto out = e.op == Op::concat ? arithmetic(Op::add, first.as_text(), second.as_text(),
                                               limits_.output_bytes_max)
                                  : arithmetic(e.op, first, second, limits_.output_bytes_max);
    if (!out.ok()) return at_line(e.line, out.status());
    RETURN_IF_ERROR(tick_for(*out));
    return out;
  }

  const TemplateLimits& limits_;
  const std::int64_t unix_now_;
  Scopes scopes_;
  Dict globals_;
  std::vector<std::weak_ptr<Dict>> kept_;
  std::uint64_t steps_ = 0;
  std::size_t written_ = 0, depth_ = 0, nesting_ = 0, macros_ = 0;
};

}  // namespace

absl::StatusOr<TextBuilder> run(const Body& body, Dict variables, const TemplateLimits& limits,
                                std::int64_t unix_now) {
  return Interpreter(std::move(variables), limits, unix_now).run(body);
}

}  // namespace plinth::model::jinja
