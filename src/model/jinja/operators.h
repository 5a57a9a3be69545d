// Python's operators over values.
#pragma once

#include "model/jinja/syntax.h"
#include "model/jinja/value.h"

namespace plinth::model::jinja {

// +, -, *, /, //, %, **. ResourceExhausted where a string or list would be over `bytes_max`.
absl::StatusOr<Value> arithmetic(Op op, const Value& a, const Value& b, std::size_t bytes_max);
absl::StatusOr<Value> negated(const Value& a);
absl::StatusOr<bool> comparison(Op op, const Value& a, const Value& b);
// a[key] of a list or string by number; undefined where there is none.
Value element(const Value& object, std::int64_t index);
// a[begin:end:step]; the bounds are none or integers.
absl::StatusOr<Value> slice(const Value& object, const Value (&bounds)[3]);

}  // namespace plinth::model::jinja
