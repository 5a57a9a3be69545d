// The OpenAPI 3.1 document of what is served, made from the declarations that check the requests.
#pragma once

#include <string>
#include <vector>

#include "api/schema/schema.h"

namespace plinth::api {

// One method on one path.
struct Operation {
  std::string method;  // "POST"
  std::string path;    // "/v1/models/{model}": what stands in braces is a parameter
  std::string id;      // "createChatCompletion"
  std::string summary;
  bool needs_key = true;
  bool azure = false;               // errors in Azure's form; DELETE may say 204
  const Schema* request = nullptr;  // the JSON body, if it takes one
  const Schema* form = nullptr;     // a multipart form in its place
  const Schema* query = nullptr;    // an object whose fields the URL's query has
  const Schema* answer = nullptr;   // of status 200; null = text/plain, or
  bool answers_bytes = false;       // application/octet-stream
  const Schema* chunk = nullptr;    // one server-sent event, if it can stream
  std::vector<int> errors;          // statuses besides 200, all with the error object
};

// {"error": {"message", "type", "param", "code"}}
const Schema& error_schema();
// {"error": {"code", "message"}} and what the model's own errors have besides.
const Schema& azure_error_schema();

struct OpenApiOptions {
  std::string version;
  bool ignore_unknown_fields = false;
};
base::json::object openapi_document(const std::vector<Operation>& operations,
                                    const OpenApiOptions& options);

}  // namespace plinth::api
