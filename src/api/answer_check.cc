#include "api/answer_check.h"

#include "api/routes.h"
#include "api/schema/openapi_document.h"
#include "api/schema/validate.h"

namespace plinth::api {

namespace {

constexpr ValidateOptions kAnswer{Direction::answer, false};

}  // namespace

absl::Status check_answer(std::string_view method, std::string_view path, int status,
                          const base::json::value& body) {
  if (status != 200) return validate(error_schema(), body, kAnswer);
  const auto match = find_route(routes(), method, path.substr(0, path.find('?')));
  if (match.route == nullptr || match.route->doc.answer == nullptr)
    return base::invalid_argument("no JSON answer is declared");
  return validate(match.route->doc.answer(), body, kAnswer);
}

absl::Status check_event(std::string_view path, const base::json::value& event) {
  if (event.is_object() && event.get_object().contains("error"))
    return validate(error_schema(), event, kAnswer);
  const auto match = find_route(routes(), "POST", path);
  if (match.route == nullptr || match.route->doc.chunk == nullptr)
    return base::invalid_argument("no stream is declared");
  return validate(match.route->doc.chunk(), event, kAnswer);
}

}  // namespace plinth::api
