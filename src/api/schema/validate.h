// Checks a JSON value against its declaration, in the words of OpenAI's errors.
#pragma once

#include <string>

#include "api/schema/schema.h"
#include "base/status.h"

namespace plinth::api {

enum class Direction : std::uint8_t {
  request,  // null means absent; unknown fields are refused
  answer,   // null only where it is allowed; what is not declared is a defect
};

struct ValidateOptions {
  Direction direction = Direction::request;
  bool ignore_unknown_fields = false;
  // Requests: what stands for the field `model`, whatever the body says; "" = the body's own.
  std::string model = {};
};

// The first problem found, as InvalidArgument with param (`messages[0].content`) and code; fields
// are looked at in the declared order, then what is unknown. `path` is "" for a whole body.
absl::Status validate(const Schema& schema, const base::json::value& value,
                      const ValidateOptions& options = {}, const std::string& path = "");

}  // namespace plinth::api
