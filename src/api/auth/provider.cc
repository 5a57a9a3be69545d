#include "api/auth/provider.h"

#include <fmt/format.h>

#include "absl/strings/escaping.h"
#include "api/auth/cookies.h"
#include "api/auth/same_site.h"
#include "api/auth/session_answer.h"
#include "api/query.h"
#include "api/server.h"
#include "base/log.h"
#include "governance/sign_in_limits.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

const Schema& start_query() {
  static const Schema schema =
      object("", {optional("return_to", string("A path of this service."))}, "");
  return schema;
}

// RFC 6749, section 4.1.2, and RFC 9207; providers send more.
const Schema& done_query() {
  static const Schema schema = object("",
                                      {optional("state", string("")), optional("code", string("")),
                                       optional("iss", string("")), optional("error", string(""))},
                                      "");
  return schema;
}

std::string text_of(const Object& query, std::string_view name) {
  const auto* value = query.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

// What the browser keeps of a sign-in under way: its state, which has dots of its own, and where it
// goes afterwards.
std::string cookie_of(const std::string& state, const std::string& return_to) {
  return fmt::format("{}.{}", state, absl::WebSafeBase64Escape(return_to));
}
struct Kept {
  std::string state, return_to = "/sign-in";
};
Kept read_cookie(const Exchange& exchange) {
  Kept kept;
  const auto text =
      cookie_value(exchange.request().header("cookie"), sign_in_cookie_name(exchange.services()))
          .value_or("");
  const auto dot = text.rfind('.');
  if (dot == std::string::npos) return kept;
  kept.state = text.substr(0, dot);
  std::string path;
  if (absl::WebSafeBase64Unescape(text.substr(dot + 1), &path) && is_local_path(path))
    kept.return_to = path;
  return kept;
}

// What somebody reads whose sign-in came to nothing.
std::string_view word_for(const absl::Status& status) {
  if (absl::IsPermissionDenied(status)) return "unknown";
  return absl::IsUnauthenticated(status) ? "provider" : "unavailable";
}

}  // namespace

void start_at_provider(const ExchangePtr& exchange) {
  const auto query = parse_query(exchange->request().query, start_query(), {Direction::request});
  if (!query.ok()) return exchange->refuse(query.status());
  const std::string wanted = text_of(*query, "return_to");
  if (!wanted.empty() && !is_local_path(wanted))
    return exchange->refuse(base::invalid_argument("return_to is no path of this service."));
  const std::string return_to = wanted.empty() ? "/sign-in" : wanted;
  sign_in_work(exchange, [exchange, return_to](governance::SignIn& sign_in) {
    const auto& services = exchange->services();
    if (!sign_in.has_provider())
      return exchange->refuse(base::not_found("This service has no identity provider."));
    const auto start = sign_in.begin_at_provider(services.public_url + kProviderReturnPath);
    if (!start.ok()) {
      LOG(debug, "[sign-in] {}", start.status().ToString());
      return redirect_to_sign_in(*exchange, "unavailable", return_to);
    }
    const auto age = static_cast<int>(governance::kSignInTimeMax.count());
    redirect(*exchange, start->url,
             {{"set-cookie", set_cookie(services, sign_in_cookie_name(services),
                                        cookie_of(start->state, return_to), age)}});
  });
}

void finish_at_provider(const ExchangePtr& exchange) {
  const auto query =
      parse_query(exchange->request().query, done_query(), {Direction::request, true});
  if (!query.ok()) return exchange->refuse(query.status());
  sign_in_work(exchange, [exchange, query = *query](governance::SignIn& sign_in) {
    const auto& services = exchange->services();
    const auto kept = read_cookie(*exchange);
    // Where somebody turns back at the provider there is an error instead of a code.
    const governance::SignInReturn back{.state = text_of(query, "state"),
                                        .code = text_of(query, "code"),
                                        .browser_state = kept.state,
                                        .issuer = text_of(query, "iss")};
    const auto session = sign_in.finish_at_provider(back, exchange->request().peer);
    net::HttpHeaders cookies{
        {"set-cookie", set_cookie(services, sign_in_cookie_name(services), "", 0)}};
    if (!session.ok()) {
      LOG(info, "[sign-in] {}", session.status().ToString());
      exchange->set_headers(std::move(cookies));
      return redirect_to_sign_in(*exchange, word_for(session.status()), kept.return_to);
    }
    for (auto& cookie : begin_session(services, *session)) cookies.push_back(std::move(cookie));
    redirect(*exchange, kept.return_to, std::move(cookies));
  });
}

}  // namespace plinth::api
