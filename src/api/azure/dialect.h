// What is Azure's own about requests and answers: paths, headers, errors.
#pragma once

#include <string>
#include <string_view>

#include "api/exchange.h"
#include "base/json.h"
#include "base/status.h"
#include "net/http_server.h"

namespace plinth::api {

// /openai/... of the data plane and /subscriptions/... of the management plane.
Dialect dialect_of(std::string_view path);

// {"error": {"code", "message"}} of what Azure's gateway refuses (keys, deployments, limits); what
// the model refuses looks as OpenAI has it. `path` tells the planes apart.
base::json::object azure_error_object(const absl::Status& status, std::string_view path);

// NotFound as Azure has it where api-version is missing or is none.
absl::Status check_api_version(const net::HttpRequest& request);

// How bodies are checked: a deployment that the path names stands for the body's model.
ValidateOptions validation_of(const Exchange& exchange);

// Of every answer: apim-request-id, x-ms-region.
net::HttpHeaders azure_headers(const Exchange& exchange);

}  // namespace plinth::api
