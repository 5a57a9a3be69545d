// Runs a syntax tree over variables, within bounds on steps, depth and output.
#pragma once

#include <string>

#include "model/chat_template.h"
#include "model/jinja/syntax.h"

namespace plinth::model::jinja {

// ResourceExhausted names the bound that was passed; raise_exception becomes InvalidArgument.
absl::StatusOr<TextBuilder> run(const Body& body, Dict variables, const TemplateLimits& limits,
                                std::int64_t unix_now);

}  // namespace plinth::model::jinja
