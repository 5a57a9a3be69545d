// Answers of sign-in: with a cookie, as a page for forms and as JSON for programs.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "api/exchange.h"
#include "governance/sign_in.h"

namespace plinth::api {

// Whether the request is a form's, to be answered with a page.
bool is_form(const Exchange& exchange);
// The body by its declaration, JSON or a form.
absl::StatusOr<base::json::object> read_form(const Exchange& exchange, const Schema& schema);

// Runs `work` where it may wait, or refuses. NotFound where nobody can sign in here.
void sign_in_work(const ExchangePtr& exchange,
                  std::function<void(governance::SignIn& sign_in)> work);

// Sends the browser to a path of this service.
void redirect(Exchange& exchange, std::string_view path, net::HttpHeaders more = {});
// The page of sign-in with what went wrong, by a word of sign_in_page.h.
void redirect_to_sign_in(Exchange& exchange, std::string_view error, std::string_view return_to);

// Sets the session's cookie.
net::HttpHeaders begin_session(const Services& services, const governance::NewSession& session);
net::HttpHeaders end_session(const Services& services);
// The session of the request's cookie; "" where there is none.
std::string session_of(const Exchange& exchange);
base::json::object person_object(const store::PersonRow& person);
base::json::object session_object(const store::PersonRow& person);

}  // namespace plinth::api
