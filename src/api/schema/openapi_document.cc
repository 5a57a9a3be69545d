#include "api/schema/openapi_document.h"

#include <fmt/format.h>

#include "api/schema/json_schema.h"

namespace plinth::api {

namespace {

using base::json::array;
using Object = base::json::object;

// What each refusal means, for all operations alike.
const char* meaning(int status) {
  switch (status) {
    case 400:
      return "The request is wrong; the error names the parameter.";
    case 401:
      return "No API key, or one that is not known.";
    case 403:
      return "The key may not do this.";
    case 404:
      return "No such model or path.";
    case 405:
      return "Not with this method.";
    case 413:
      return "The body is too large.";
    case 414:
      return "The URL is too long.";
    case 429:
      return "A limit of the key is reached; Retry-After says when to come back.";
    case 500:
      return "The server failed; the log has the request id.";
    case 503:
      return "Overloaded, loading or shutting down; Retry-After says when to come back.";
    default:
      return "Refused.";
  }
}

Object headers(int status) {
  Object out{{"x-request-id",
              {{"description", "Names this request in the server's log."},
               {"schema", {{"type", "string"}}}}}};
  if (status == 429 || status == 503)
    out["retry-after"] = {{"description", "Seconds."}, {"schema", {{"type", "string"}}}};
  return out;
}

class Document {
 public:
  explicit Document(const OpenApiOptions& options) : options_(options) {}

  void add(const Operation& operation) {
    Object item{{"operationId", operation.id}, {"summary", operation.summary}};
    if (!operation.needs_key) item["security"] = array();
    auto parameters = path_parameters(operation.path);
    if (operation.query != nullptr) add_query(*operation.query, parameters);
    if (!parameters.empty()) item["parameters"] = parameters;
    if (operation.request != nullptr) add_body("application/json", *operation.request, item);
    if (operation.form != nullptr) add_body("multipart/form-data", *operation.form, item);
    const auto& error = operation.azure ? azure_error_schema() : error_schema();
    Object responses{{"200", success(operation)}};
    for (const int status : operation.errors) {
      responses[std::to_string(status)] = {
          {"description", meaning(status)},
          {"headers", headers(status)},
          {"content", {{"application/json", {{"schema", answer(error)}}}}}};
    }
    if (operation.azure && operation.method == "DELETE")
      responses["204"] = {{"description", "There is none, or no longer."}};
    item["responses"] = std::move(responses);
    std::string method = operation.method;
    for (char& c : method) c = static_cast<char>(c | 0x20);
    if (!paths_.contains(operation.path)) paths_[operation.path] = Object();
    paths_[operation.path].get_object()[method] = std::move(item);
  }

  Object finish() && {
    return {{"openapi", "3.1.0"},
            {"info",
             {{"title", "Plinth"},
              {"version", options_.version},
              {"description",
               "Generative models on your own machine over OpenAI's protocol. x-plinth-support "
               "marks the fields that differ: extension (served, not OpenAI's), ignored (accepted, "
               "of no effect) and unsupported (refused unless at a value that changes nothing)."},
              {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
            {"servers", array{Object{{"url", "/"}}}},
            {"security", array{Object{{"api_key", array()}}}},
            {"paths", std::move(paths_)},
            {"components",
             {{"schemas", std::move(components_)},
              {"securitySchemes",
               {{"api_key",
                 {{"type", "http"},
                  {"scheme", "bearer"},
                  {"description", "Authorization: Bearer sk-plinth-..."}}}}}}}};
  }

 private:
  void add_body(const char* type, const Schema& schema, Object& item) {
    const ValidateOptions request{Direction::request, options_.ignore_unknown_fields};
    item["requestBody"] = {
        {"required", true},
        {"content", {{type, {{"schema", json_schema(schema, request, components_)}}}}}};
  }

  base::json::value answer(const Schema& schema) {
    return json_schema(schema, {Direction::answer, false}, components_);
  }

  Object success(const Operation& operation) {
    Object content;
    if (operation.answers_bytes) {
      content["application/octet-stream"] = Object();
    } else if (operation.answer == nullptr) {
      content["text/plain"] = {{"schema", {{"type", "string"}}}};
    } else {
      content["application/json"] = {{"schema", answer(*operation.answer)}};
    }
    if (operation.chunk != nullptr) {
      content["text/event-stream"] = {
          {"schema",
           {{"type", "string"},
            {"description",
             "Events of one `data:` line each, JSON as in x-plinth-event; the last "
             "one is [DONE]."}}},
          {"x-plinth-event", answer(*operation.chunk)}};
    }
    return {{"description", "Done."}, {"headers", headers(200)}, {"content", std::move(content)}};
  }

  static array path_parameters(const std::string& path) {
    array out;
    for (std::size_t open = path.find('{'); open != std::string::npos;
         open = path.find('{', open + 1)) {
      const std::string name = path.substr(open + 1, path.find('}', open) - open - 1);
      out.push_back(Object{{"name", name},
                           {"in", "path"},
                           {"required", true},
                           {"description", "URL-encoded: a slash in it is %2F."},
                           {"schema", {{"type", "string"}, {"minLength", 1}}}});
    }
    return out;
  }

  // Arrays are repeated, as the SDKs write them: name[]=a&name[]=b; maps are name[key]=a.
  void add_query(const Schema& query, array& parameters) {
    for (const auto& field : query.fields) {
      const bool list = field.schema.kind == Kind::array;
      Object parameter{
          {"name", list ? field.name + "[]" : field.name},
          {"in", "query"},
          {"required", field.required},
          {"description", field.schema.doc},
          {"schema", json_schema(field.schema, {Direction::request, false}, components_)}};
      if (field.schema.kind == Kind::map) {
        parameter["style"] = "deepObject";
        parameter["explode"] = true;
      }
      parameters.push_back(std::move(parameter));
    }
  }

  const OpenApiOptions options_;
  Object paths_, components_;
};

}  // namespace

const Schema& azure_error_schema() {
  static const Schema schema = object(
      "AzureError", {required("error", map(any(""), SIZE_MAX, "code and message at least."))}, "");
  return schema;
}

const Schema& error_schema() {
  static const Schema schema = object(
      "Error",
      {required("error", object("",
                                {required("message", string("For a person; names what was wrong.")),
                                 required("type", string("")),
                                 required("param", string("The field at fault, such as "
                                                          "messages[0].content.")
                                                       .or_null()),
                                 required("code", string("For a program.").or_null())},
                                ""))},
      "");
  return schema;
}

base::json::object openapi_document(const std::vector<Operation>& operations,
                                    const OpenApiOptions& options) {
  Document document(options);
  for (const auto& operation : operations) document.add(operation);
  return std::move(document).finish();
}

}  // namespace plinth::api
