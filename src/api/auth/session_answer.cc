#include "api/auth/session_answer.h"

#include <fmt/format.h>

#include "api/auth/cookies.h"
#include "api/auth/same_site.h"
#include "api/limits.h"
#include "api/openai/admin/listing.h"
#include "api/openai/admin/users.h"
#include "api/query.h"

namespace plinth::api {

bool is_form(const Exchange& exchange) {
  return exchange.request().header("content-type").starts_with("application/x-www-form-urlencoded");
}

absl::StatusOr<base::json::object> read_form(const Exchange& exchange, const Schema& schema) {
  if (exchange.request().body.size() > kSignInFormBytesMax)
    return base::invalid_argument("The body is too long for what is asked.");
  if (!is_form(exchange)) return read_body(exchange, schema);
  return parse_query(exchange.request().body, schema, exchange.services().validation());
}

void sign_in_work(const ExchangePtr& exchange,
                  std::function<void(governance::SignIn& sign_in)> work) {
  auto* sign_in = exchange->services().governance.sign_in();
  if (sign_in == nullptr || exchange->services().slow == nullptr)
    return exchange->refuse(base::not_found("Nobody can sign in here."));
  exchange->set_headers({{"cache-control", "no-store"}});
  const auto queued =
      exchange->services().slow->add([sign_in, work = std::move(work)] { work(*sign_in); });
  if (!queued.ok()) exchange->refuse(queued);
}

void redirect(Exchange& exchange, std::string_view path, net::HttpHeaders more) {
  more.emplace_back("location", path);
  exchange.set_headers(std::move(more));
  exchange.send(303, "", "");
}

void redirect_to_sign_in(Exchange& exchange, std::string_view error, std::string_view return_to) {
  std::string path = fmt::format("/sign-in?error={}", error);
  if (is_local_path(return_to)) path += "&return_to=" + percent_encoded(return_to);
  redirect(exchange, path);
}

net::HttpHeaders begin_session(const Services& services, const governance::NewSession& session) {
  return {{"set-cookie", set_cookie(services, session_cookie_name(services), session.id, -1)}};
}

net::HttpHeaders end_session(const Services& services) {
  return {{"set-cookie", set_cookie(services, session_cookie_name(services), "", 0)}};
}

std::string session_of(const Exchange& exchange) {
  return cookie_value(exchange.request().header("cookie"), session_cookie_name(exchange.services()))
      .value_or("");
}

base::json::object person_object(const store::PersonRow& person) {
  return {{"id", person.id}, {"email", text_or_null(person.email)}, {"name", person.name}};
}

base::json::object session_object(const store::PersonRow& person) {
  return {{"object", "session"}, {"user", person_object(person)}};
}

}  // namespace plinth::api
