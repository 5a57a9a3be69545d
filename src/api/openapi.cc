#include "api/openapi.h"

#include <algorithm>

#include "api/azure/dialect.h"
#include "api/routes.h"
#include "api/schema/openapi_document.h"

namespace plinth::api {

namespace {

// What an endpoint may answer besides 200 follows from what it needs and takes.
std::vector<int> errors_of(const Route& route) {
  if (route.pattern.starts_with("/auth/")) return {400, 401, 403, 404, 429, 503};
  if (route.needs.open() && !route.pattern.starts_with("/v1/"))
    return route.pattern == "/readyz" ? std::vector{503} : std::vector<int>{};
  std::vector<int> errors{401};
  if (!route.needs.open()) errors.push_back(403);
  if (dialect_of(route.pattern) == Dialect::azure) errors.insert(errors.end(), {400, 404, 414});
  if (route.doc.request != nullptr || route.method == "POST") {
    for (const int status : {400, 404, 413, 429, 500, 503, 504}) errors.push_back(status);
  } else if (route.pattern.find('{') != std::string_view::npos) {
    for (const int status : {400, 404}) errors.push_back(status);
  }
  // A cursor may name what does not exist, and a query may be longer than a URL.
  if (route.doc.query != nullptr) errors.insert(errors.end(), {400, 404, 414});
  // What is in the database, which may be away.
  const bool files =
      !route.needs.open() && (route.needs.permission() == governance::Permission::read_files ||
                              route.needs.permission() == governance::Permission::manage_files);
  if (scope_of(route) != Scope::caller || files) errors.push_back(503);
  std::sort(errors.begin(), errors.end());
  errors.erase(std::unique(errors.begin(), errors.end()), errors.end());
  return errors;
}

const Schema& api_version_query() {
  static const Schema schema =
      object("", {required("api-version", string("A date: 2024-10-21."))}, "");
  return schema;
}

Operation operation_of(const Route& route) {
  Operation operation;
  operation.method = route.method;
  operation.path = route.pattern;
  if (const auto rest = operation.path.find("...}"); rest != std::string::npos)
    operation.path.erase(rest, 3);
  operation.id = route.doc.id;
  operation.summary = route.doc.summary;
  operation.needs_key = !route.needs.open();
  operation.azure = dialect_of(route.pattern) == Dialect::azure;
  const auto schema = [](const Schema& (*of)()) { return of == nullptr ? nullptr : &of(); };
  operation.request = schema(route.doc.request);
  operation.form = schema(route.doc.form);
  operation.answers_bytes = route.doc.answers_bytes;
  operation.query = schema(route.doc.query);
  if (operation.azure && !route.pattern.starts_with("/openai/v1"))
    operation.query = &api_version_query();
  operation.answer = schema(route.doc.answer);
  operation.chunk = schema(route.doc.chunk);
  operation.errors = errors_of(route);
  return operation;
}

}  // namespace

const Schema& openapi_schema() {
  static const Schema schema = map(any(""), SIZE_MAX, "This document.");
  return schema;
}

void answer_openapi(const ExchangePtr& exchange) {
  std::vector<Operation> operations;
  // Pages are for people.
  for (const auto& route : routes())
    if (!route.doc.id.empty()) operations.push_back(operation_of(route));
  const auto document =
      openapi_document(operations, {"0.1.0", exchange->services().ignore_unknown_fields});
  exchange->send(200, "application/json", base::to_json(document) + "\n");
}

}  // namespace plinth::api
