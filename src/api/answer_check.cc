#include "api/answer_check.h"

#include "api/azure/dialect.h"
#include "api/routes.h"
#include "api/schema/openapi_document.h"
#include "api/schema/validate.h"

namespace plinth::api {

namespace {

const ValidateOptions kAnswer{Direction::answer, false, {}};

// Annotations of Azure's streams, which are no chunks.
bool is_annotation(const base::json::value& event) {
  const auto text = base::to_json(event);
  return text.find("\"prompt_filter_results\"") != std::string::npos ||
         text.find("\"content_filter_offsets\"") != std::string::npos;
}

std::string_view without_query(std::string_view path) { return path.substr(0, path.find('?')); }

}  // namespace

absl::Status check_answer(std::string_view method, std::string_view path, int status,
                          const base::json::value& body) {
  const bool azure = dialect_of(path) == Dialect::azure;
  if (status != 200) return validate(azure ? azure_error_schema() : error_schema(), body, kAnswer);
  const auto match = find_route(routes(), method, without_query(path));
  if (match.route == nullptr || match.route->doc.answer == nullptr)
    return base::invalid_argument("no JSON answer is declared");
  return validate(match.route->doc.answer(), body, kAnswer);
}

absl::Status check_event(std::string_view path, const base::json::value& event) {
  if (event.is_object() && event.get_object().contains("error"))
    return validate(error_schema(), event, kAnswer);
  if (dialect_of(path) == Dialect::azure && is_annotation(event)) return absl::OkStatus();
  const auto match = find_route(routes(), "POST", without_query(path));
  if (match.route == nullptr || match.route->doc.chunk == nullptr)
    return base::invalid_argument("no stream is declared");
  return validate(match.route->doc.chunk(), event, kAnswer);
}

}  // namespace plinth::api
