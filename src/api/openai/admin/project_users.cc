#include "api/error_map.h"
#include "api/openai/admin/keys.h"
#include "api/openai/admin/listing.h"
#include "api/openai/admin/project_members.h"
#include "api/openai/admin/projects.h"
#include "api/openai/admin/users.h"
#include "api/schema/values.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

constexpr char kProjectUser[] = "organization.project.user";

governance::People& people(const Exchange& exchange) {
  return exchange.services().governance.people();
}

absl::StatusOr<Object> member_object(const Exchange& exchange, const std::string& project,
                                     const store::MemberRow& member) {
  ASSIGN_OR_RETURN(const auto user, find_user(exchange, member.subject.id));
  ASSIGN_OR_RETURN(const auto roles, people(exchange).assignments().roles_of(member.subject));
  return Object{{"object", kProjectUser},
                {"id", user.id},
                {"name", user.name},
                {"email", text_or_null(user.email)},
                {"role", base::json::string(governance::project_word(roles, project))},
                {"added_at", member.added_s}};
}

absl::StatusOr<Object> find_member(const Exchange& exchange, const std::string& project,
                                   const std::string& user) {
  ASSIGN_OR_RETURN(const auto member,
                   people(exchange).assignments().member(project, store::user_subject(user)));
  return member_object(exchange, project, member);
}

// The user that a request names by its id or its address.
absl::StatusOr<store::PersonRow> named_user(const Exchange& exchange, const Object& body) {
  const Values values(project_user_request_schema(), body);
  const auto* id = values.given("user_id");
  const auto* email = values.given("email");
  if ((id == nullptr) == (email == nullptr))
    return parameter_error("Give either 'user_id' or 'email'.", "user_id", "invalid_value");
  if (id != nullptr) return find_user(exchange, std::string(id->get_string()));
  return people(exchange).users().find_by_email(exchange.principal.organization,
                                                std::string(email->get_string()));
}

Schema role_field() { return one_string_of({"owner", "member"}, "What they are in the project."); }

}  // namespace

const Schema& project_user_schema() {
  static const Schema schema =
      object("ProjectUser",
             {required("object", one_string_of({kProjectUser}, "")), required("id", string("")),
              required("name", string("")), required("email", string("").or_null()),
              required("role", role_field()), required("added_at", integer(0, INT64_MAX, ""))},
             "");
  return schema;
}

const Schema& project_user_list_schema() {
  static const Schema schema = list_schema("ProjectUserList", project_user_schema());
  return schema;
}

const Schema& project_user_request_schema() {
  static const Schema schema =
      object("ProjectUserRequest",
             {optional("user_id", string("").length(1, 256)),
              optional("email", string("Instead.").length(1, 254)), required("role", role_field())},
             "");
  return schema;
}

const Schema& project_user_change_schema() {
  static const Schema schema = object("ProjectUserChange", {required("role", role_field())}, "");
  return schema;
}

const Schema& project_user_deletion_schema() {
  static const Schema schema =
      deletion_schema("ProjectUserDeletion", "organization.project.user.deleted");
  return schema;
}

void list_project_users(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto query, read_query(*exchange, plain_page_query()));
    ASSIGN_OR_RETURN(const auto page, people(*exchange).assignments().members(
                                          project.id, "user", page_of(plain_page_query(), query)));
    base::json::array data;
    for (const auto& member : page.rows) {
      ASSIGN_OR_RETURN(data.emplace_back(nullptr), member_object(*exchange, project.id, member));
    }
    return list_object(std::move(data), page.has_more);
  }());
}

void add_project_user(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_open_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, project_user_request_schema()));
    ASSIGN_OR_RETURN(const auto user, named_user(*exchange, body));
    RETURN_IF_ERROR(people(*exchange).set_project_word(
        exchange->principal, user.id, project.id, std::string_view(body.at("role").get_string())));
    return find_member(*exchange, project.id, user.id);
  }());
}

void retrieve_project_user(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    return find_member(*exchange, project.id, exchange->parameter(1));
  }());
}

void modify_project_user(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_open_project(*exchange, exchange->parameter(0)));
    const auto& user = exchange->parameter(1);
    RETURN_IF_ERROR(find_member(*exchange, project.id, user).status());
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, project_user_change_schema()));
    RETURN_IF_ERROR(people(*exchange).set_project_word(
        exchange->principal, user, project.id, std::string_view(body.at("role").get_string())));
    return find_member(*exchange, project.id, user);
  }());
}

void remove_project_user(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    const auto& user = exchange->parameter(1);
    RETURN_IF_ERROR(people(*exchange).remove_from_project(exchange->principal,
                                                          store::user_subject(user), project.id));
    return deletion_object("organization.project.user.deleted", user);
  }());
}

}  // namespace plinth::api
