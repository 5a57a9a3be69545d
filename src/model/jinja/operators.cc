#include "model/jinja/operators.h"

#include <algorithm>
#include <cmath>

#include "model/jinja/arguments.h"
#include "model/jinja/builtins.h"
#include "model/jinja/text_functions.h"

namespace plinth::model::jinja {

namespace {

absl::Status too_large() { return base::resource_exhausted("[template] value is too large"); }

// A string or list, times an integer.
absl::StatusOr<Value> repeated(const Value& a, std::int64_t times, std::size_t bytes_max) {
  const std::size_t unit = a.string() ? a.string()->size() : a.list()->size() * sizeof(Value);
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(times, 0));
  if (unit > 0 && count > bytes_max / unit) return too_large();
  if (unit == 0 || count == 0)
    return a.string() ? Value::of(std::string())
                      : (a.is_tuple() ? Value::tuple({}) : Value::of(List{}));
  if (a.string()) {
    TextBuilder out;
    for (std::size_t i = 0; i < count; ++i) out.add(a);
    return std::move(out).value();
  }
  List out;
  for (std::size_t i = 0; i < count; ++i) out.insert(out.end(), a.list()->begin(), a.list()->end());
  return a.is_tuple() ? Value::tuple(std::move(out)) : Value::of(std::move(out));
}

absl::StatusOr<Value> integer_power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0)
    return Value::of(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  std::int64_t result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result))
      return wrong("integer overflow");
    if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) return wrong("integer overflow");
  }
  return Value::of(result);
}

absl::StatusOr<Value> integers(Op op, std::int64_t x, std::int64_t y) {
  std::int64_t result = 0;
  bool overflow = false;
  switch (op) {
    case Op::add:
      overflow = __builtin_add_overflow(x, y, &result);
      break;
    case Op::subtract:
      overflow = __builtin_sub_overflow(x, y, &result);
      break;
    case Op::multiply:
      overflow = __builtin_mul_overflow(x, y, &result);
      break;
    case Op::power:
      return integer_power(x, y);
    default: {
      if (y == 0) return wrong("division by zero");
      if (y == -1) {
        if (op == Op::modulo) return Value::of(std::int64_t{0});
        overflow = __builtin_sub_overflow(std::int64_t{0}, x, &result);
        break;
      }
      const std::int64_t quotient = x / y - ((x % y != 0) && ((x < 0) != (y < 0)) ? 1 : 0);
      result = op == Op::floor_divide ? quotient : x - quotient * y;
    }
  }
  if (overflow) return wrong("integer overflow");
  return Value::of(result);
}

absl::StatusOr<Value> reals(Op op, double x, double y) {
  switch (op) {
    case Op::add:
      return Value::of(x + y);
    case Op::subtract:
      return Value::of(x - y);
    case Op::multiply:
      return Value::of(x * y);
    case Op::power:
      return Value::of(std::pow(x, y));
    default:
      break;
  }
  if (y == 0) return wrong("division by zero");
  if (op == Op::divide) return Value::of(x / y);
  if (op == Op::floor_divide) return Value::of(std::floor(x / y));
  return Value::of(x - std::floor(x / y) * y);
}

std::int64_t whole(const Value& v) { return v.integer() ? *v.integer() : *v.boolean(); }

}  // namespace

absl::StatusOr<Value> arithmetic(Op op, const Value& a, const Value& b, std::size_t bytes_max) {
  if (op == Op::add && a.string() && b.string()) {
    if (a.string()->size() + b.string()->size() > bytes_max) return too_large();
    TextBuilder out;
    out.add(a);
    out.add(b);
    return std::move(out).value();
  }
  if (op == Op::add && a.list() && b.list() && a.is_tuple() == b.is_tuple()) {
    if ((a.list()->size() + b.list()->size()) * sizeof(Value) > bytes_max) return too_large();
    List out = *a.list();
    out.insert(out.end(), b.list()->begin(), b.list()->end());
    return a.is_tuple() ? Value::tuple(std::move(out)) : Value::of(std::move(out));
  }
  if (op == Op::multiply && (a.string() || a.list()) && b.integer())
    return repeated(a, *b.integer(), bytes_max);
  if (op == Op::multiply && (b.string() || b.list()) && a.integer())
    return repeated(b, *a.integer(), bytes_max);
  if (op == Op::modulo && a.string()) return percent_format(a, b, bytes_max);
  if (!a.is_number() || !b.is_number()) {
    for (const Value* v : {&a, &b}) {
      if (v->undefined())
        return wrong(fmt::format("'{}' is undefined", std::get<Undefined>(v->data).name));
    }
    return wrong(
        fmt::format("operands of types {} and {} do not fit", a.type_name(), b.type_name()));
  }
  if (a.real() || b.real() || op == Op::divide) return reals(op, a.as_double(), b.as_double());
  return integers(op, whole(a), whole(b));
}

absl::StatusOr<Value> negated(const Value& a) {
  if (a.real()) return Value::of(-*a.real());
  return arithmetic(Op::subtract, Value::of(std::int64_t{0}), a, 0);
}

absl::StatusOr<bool> comparison(Op op, const Value& a, const Value& b) {
  if (op == Op::equal || op == Op::not_equal) return a.equals(b) == (op == Op::equal);
  if (op == Op::in || op == Op::not_in) {
    ASSIGN_OR_RETURN(const bool found, contains(b, a));
    return found == (op == Op::in);
  }
  ASSIGN_OR_RETURN(const int order, compare(a, b));
  switch (op) {
    case Op::less:
      return order < 0;
    case Op::less_equal:
      return order <= 0;
    case Op::greater:
      return order > 0;
    default:
      return order >= 0;
  }
}

Value element(const Value& object, std::int64_t index) {
  const auto at = [&](std::size_t size) -> std::int64_t {
    const auto count = static_cast<std::int64_t>(size);
    const auto i = index < 0 ? index + count : index;
    return i >= 0 && i < count ? i : -1;
  };
  if (const auto* l = object.list()) {
    const auto i = at(l->size());
    return i < 0 ? Value() : (*l)[static_cast<std::size_t>(i)];
  }
  if (const auto* s = object.string()) {
    const auto offsets = character_offsets(*s);
    const auto i = at(offsets.size() - 1);
    if (i < 0) return {};
    const auto begin = offsets[static_cast<std::size_t>(i)];
    return object.part(begin, offsets[static_cast<std::size_t>(i) + 1] - begin);
  }
  return {};
}

absl::StatusOr<Value> slice(const Value& object, const Value (&bounds)[3]) {
  for (const Value& bound : bounds) {
    if (!bound.is_none() && !bound.integer()) return wrong("slice bounds are integers");
  }
  const std::int64_t step = bounds[2].integer() ? *bounds[2].integer() : 1;
  if (step == 0) return wrong("slice step is 0");
  std::vector<std::size_t> offsets;
  if (object.string()) {
    offsets = character_offsets(*object.string());
  } else if (object.list() == nullptr) {
    return object.undefined()
               ? wrong(fmt::format("'{}' is undefined", std::get<Undefined>(object.data).name))
               : wrong(fmt::format("'{}' object cannot be sliced", object.type_name()));
  }
  const auto size =
      static_cast<std::int64_t>(object.string() ? offsets.size() - 1 : object.list()->size());
  const auto clamp = [&](std::int64_t i) {
    return std::clamp<std::int64_t>(i < 0 ? i + size : i, step > 0 ? 0 : -1,
                                    step > 0 ? size : size - 1);
  };
  const auto begin = bounds[0].integer() ? clamp(*bounds[0].integer()) : (step > 0 ? 0 : size - 1);
  const auto end = bounds[1].integer() ? clamp(*bounds[1].integer()) : (step > 0 ? size : -1);
  if (object.string() && step == 1) {
    if (begin >= end) return object.part(0, 0);
    const auto from = offsets[static_cast<std::size_t>(begin)];
    return object.part(from, offsets[static_cast<std::size_t>(end)] - from);
  }
  TextBuilder text;
  List out;
  for (auto i = begin; step > 0 ? i < end : i > end;) {
    if (object.string()) {
      const auto from = offsets[static_cast<std::size_t>(i)];
      text.add(object.part(from, offsets[static_cast<std::size_t>(i) + 1] - from));
    } else {
      out.push_back((*object.list())[static_cast<std::size_t>(i)]);
    }
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  if (object.string()) return std::move(text).value();
  return object.is_tuple() ? Value::tuple(std::move(out)) : Value::of(std::move(out));
}

}  // namespace plinth::model::jinja
