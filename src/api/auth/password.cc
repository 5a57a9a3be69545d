#include "api/auth/password.h"

#include "api/auth/same_site.h"
#include "api/auth/session_answer.h"
#include "api/openai/admin/listing.h"
#include "api/openai/admin/users.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

// Of a form's fields: what is longer is nobody's.
constexpr std::size_t kNameMax = 256, kPasswordMax = 2048;

std::string text_of(const Object& body, std::string_view name) {
  const auto* value = body.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

std::string_view word_for(const absl::Status& status) {
  if (absl::IsUnauthenticated(status)) return "password";
  return absl::IsResourceExhausted(status) ? "wait" : "unavailable";
}

// Whether somebody of these rights may be whoever they like: who sets a password can sign in by it.
absl::Status check_may_become(const Exchange& exchange, const store::PersonRow& user) {
  auto& people = exchange.services().governance.people();
  ASSIGN_OR_RETURN(const auto grants, people.roles().permissions_of(user.organization, user.id));
  RETURN_IF_ERROR(exchange.principal.check_may_give(grants.organization, ""));
  for (const auto& [project, set] : grants.projects)
    RETURN_IF_ERROR(exchange.principal.check_may_give(set, project));
  return absl::OkStatus();
}

absl::StatusOr<store::PersonRow> user_to_set(Exchange& exchange) {
  if (exchange.services().governance.sign_in() == nullptr)
    return base::not_found("Nobody can sign in here.");
  ASSIGN_OR_RETURN(auto user, find_user(exchange, exchange.parameter(0)));
  RETURN_IF_ERROR(check_may_become(exchange, user));
  return user;
}

absl::StatusOr<Object> set_password(Exchange& exchange) {
  // Again: rights may have changed while the hash was made.
  ASSIGN_OR_RETURN(const auto user, user_to_set(exchange));
  RETURN_IF_ERROR(exchange.services().governance.sign_in()->set_password(user, exchange.prepared));
  exchange.audit.id = user.id;
  exchange.audit.details = {{"changes_requested", {{"password", "set"}}}};
  return Object{{"object", "organization.user.password"}, {"id", user.id}};
}

}  // namespace

const Schema& sign_in_schema() {
  static const Schema schema =
      object("SignIn",
             {required("name", string("The e-mail address.").length(1, kNameMax)),
              required("password", string("").length(1, kPasswordMax)),
              optional("return_to", string("Where a form goes on to: a path of this service."))},
             "");
  return schema;
}

const Schema& password_change_schema() {
  static const Schema schema =
      object("PasswordChange",
             {required("current_password", string("").length(1, kPasswordMax)),
              required("new_password", string("15 characters or more.").length(1, kPasswordMax))},
             "");
  return schema;
}

const Schema& new_password_schema() {
  static const Schema schema =
      object("NewPassword",
             {required("password", string("15 characters or more.").length(1, kPasswordMax))}, "");
  return schema;
}

const Schema& new_password_answer_schema() {
  static const Schema schema =
      object("NewPasswordSet",
             {required("object", one_string_of({"organization.user.password"}, "")),
              required("id", string("Of the user."))},
             "");
  return schema;
}

void sign_in_by_password(const ExchangePtr& exchange) {
  // Else a page could sign its visitor in as somebody else.
  if (const auto same = check_same_site(exchange->request(), exchange->services().public_url);
      !same.ok()) {
    return exchange->refuse(same);
  }
  const auto form = read_form(*exchange, sign_in_schema());
  if (!form.ok() && is_form(*exchange)) return redirect_to_sign_in(*exchange, "password", "");
  if (!form.ok()) return exchange->refuse(form.status());
  sign_in_work(exchange, [exchange, body = *form](governance::SignIn& sign_in) {
    const auto session = sign_in.by_password(text_of(body, "name"), text_of(body, "password"),
                                             exchange->request().peer);
    const auto return_to = text_of(body, "return_to");
    if (!session.ok()) {
      if (!is_form(*exchange)) return exchange->refuse(session.status());
      return redirect_to_sign_in(*exchange, word_for(session.status()), return_to);
    }
    auto cookie = begin_session(exchange->services(), *session);
    if (is_form(*exchange)) {
      return redirect(*exchange, is_local_path(return_to) ? return_to : "/sign-in",
                      std::move(cookie));
    }
    exchange->set_headers(std::move(cookie));
    exchange->send_json(session_object(session->person));
  });
}

void change_password(const ExchangePtr& exchange) {
  if (const auto same = check_same_site(exchange->request(), exchange->services().public_url);
      !same.ok()) {
    return exchange->refuse(same);
  }
  const auto form = read_form(*exchange, password_change_schema());
  if (!form.ok()) return exchange->refuse(form.status());
  sign_in_work(exchange, [exchange, body = *form](governance::SignIn& sign_in) {
    const auto session =
        sign_in.change_password(session_of(*exchange), text_of(body, "current_password"),
                                text_of(body, "new_password"), exchange->request().peer);
    if (!session.ok()) return exchange->refuse(session.status());
    exchange->set_headers(begin_session(exchange->services(), *session));
    exchange->send_json(session_object(session->person));
  });
}

absl::Status prepare_user_password(Exchange& exchange) {
  ASSIGN_OR_RETURN(const auto user, user_to_set(exchange));
  ASSIGN_OR_RETURN(const auto body, read_body(exchange, new_password_schema()));
  ASSIGN_OR_RETURN(exchange.prepared, exchange.services().governance.sign_in()->new_password_hash(
                                          user, text_of(body, "password")));
  return absl::OkStatus();
}

void set_user_password(const ExchangePtr& exchange) { answer(exchange, set_password(*exchange)); }

}  // namespace plinth::api
