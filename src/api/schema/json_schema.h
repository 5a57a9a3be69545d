// A declaration as JSON Schema 2020-12, the dialect of OpenAPI 3.1.
#pragma once

#include "api/schema/schema.h"
#include "api/schema/validate.h"

namespace plinth::api {

// Named objects become entries of `components` and are referred to by name.
// Requests: unknown fields are forbidden unless `ignore_unknown_fields`, optional fields may be
// null, and an unsupported field admits its no-op values alone. x-plinth-support tells extensions,
// ignored and unsupported fields apart from OpenAI's served ones.
base::json::value json_schema(const Schema& schema, const ValidateOptions& options,
                              base::json::object& components);

}  // namespace plinth::api
