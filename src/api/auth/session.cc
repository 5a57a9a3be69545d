#include "api/auth/session.h"

#include "api/auth/authenticate.h"
#include "api/auth/same_site.h"
#include "api/auth/session_answer.h"

namespace plinth::api {

namespace {

using base::json::array;
using base::json::object;

array names_of(governance::PermissionSet set) {
  array names;
  for (const auto& name : governance::permission_names(set))
    names.push_back(base::json::string(name));
  return names;
}

std::string_view kind_of(const governance::Principal& who) {
  if (!who.key_id.empty()) return "api_key";
  return who.user.empty() ? "program" : "user";
}

absl::StatusOr<object> own_session(const Exchange& exchange) {
  const auto& who = exchange.principal;
  object out{{"object", "session"},
             {"kind", base::json::string(kind_of(who))},
             {"user", nullptr},
             {"has_password", false},
             {"organization", who.organization},
             {"permissions", names_of(who.grants.organization)}};
  if (!who.user.empty()) {
    ASSIGN_OR_RETURN(const auto person, exchange.services().governance.people().users().find(
                                            who.organization, who.user));
    out["user"] = person_object(person);
    out["has_password"] = person.password_phc.has_value();
  }
  array projects;
  for (const auto& [id, set] : who.grants.projects)
    projects.push_back(object{{"id", id}, {"permissions", names_of(who.grants.in(id))}});
  out["projects"] = std::move(projects);
  return out;
}

Schema permissions_schema() {
  return api::array(string("As docs/roles.md names them."), 0, SIZE_MAX, "");
}

}  // namespace

Schema session_user_schema(const char* name) {
  return api::object(name,
                     {required("id", string("")), required("email", string("").or_null()),
                      required("name", string(""))},
                     "");
}

const Schema& session_schema() {
  static const Schema schema = api::object("SignedIn",
                                           {required("object", one_string_of({"session"}, "")),
                                            required("user", session_user_schema("SignedInUser"))},
                                           "");
  return schema;
}

const Schema& own_session_schema() {
  static const Schema schema = api::object(
      "Session",
      {required("object", one_string_of({"session"}, "")),
       required("kind", one_string_of({"user", "program", "api_key"}, "Who asks.")),
       required("user", session_user_schema("SessionUser").or_null()),
       required("has_password", boolean("Whether they can sign in by a password of this service.")),
       required("organization", string("")), required("permissions", permissions_schema()),
       required("projects", api::array(api::object("SessionProject",
                                                   {required("id", string("")),
                                                    required("permissions", permissions_schema())},
                                                   ""),
                                       0, SIZE_MAX, ""))},
      "");
  return schema;
}

const Schema& session_end_schema() {
  static const Schema schema =
      api::object("SignedOut",
                  {required("object", one_string_of({"session.deleted"}, "")),
                   required("deleted", boolean(""))},
                  "");
  return schema;
}

void show_session(const ExchangePtr& exchange) {
  exchange->set_headers({{"cache-control", "no-store"}});
  authenticate(exchange, [exchange](const absl::Status& status) {
    if (!status.ok()) return exchange->refuse(status);
    const auto out = own_session(*exchange);
    if (!out.ok()) return exchange->refuse(out.status());
    exchange->send_json(*out);
  });
}

void sign_out(const ExchangePtr& exchange) {
  if (const auto same = check_same_site(exchange->request(), exchange->services().public_url);
      !same.ok()) {
    return exchange->refuse(same);
  }
  sign_in_work(exchange, [exchange](governance::SignIn& sign_in) {
    const auto status = sign_in.sign_out(session_of(*exchange), exchange->request().peer);
    // The cookie goes whether its session was there or not; not where it may still be.
    if (!status.ok() && !absl::IsUnauthenticated(status)) return exchange->refuse(status);
    exchange->set_headers(end_session(exchange->services()));
    if (is_form(*exchange)) return redirect(*exchange, "/sign-in");
    if (!status.ok()) return exchange->refuse(status);
    exchange->send_json({{"object", "session.deleted"}, {"deleted", true}});
  });
}

}  // namespace plinth::api
