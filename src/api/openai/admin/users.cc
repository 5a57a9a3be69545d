#include "api/openai/admin/users.h"

#include <algorithm>

#include "api/error_map.h"
#include "api/openai/admin/listing.h"
#include "api/schema/values.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

constexpr char kUser[] = "organization.user";
constexpr std::size_t kNameMax = 256, kEmailsMax = 100;

governance::People& people(const Exchange& exchange) {
  return exchange.services().governance.people();
}

absl::Status change(const Exchange& exchange, const store::PersonRow& user, const Object& body) {
  const Values values(user_change_schema(), body);
  const auto& who = exchange.principal;
  if (values.given("name") != nullptr) {
    ASSIGN_OR_RETURN(const auto name, read_name(body, "name"));
    RETURN_IF_ERROR(people(exchange).users().rename(user.id, name));
  }
  if (const auto* word = values.given("role")) {
    RETURN_IF_ERROR(
        people(exchange).set_organization_word(who, user.id, std::string_view(word->get_string())));
  }
  if (const auto* role = values.given("role_id")) {
    RETURN_IF_ERROR(people(exchange).give(who, store::user_subject(user.id), "",
                                          std::string(role->get_string())));
  }
  if (const auto* disabled = values.given("disabled")) {
    RETURN_IF_ERROR(disabled->get_bool() ? people(exchange).disable(who, user.id)
                                         : people(exchange).enable(who, user.id));
  }
  return absl::OkStatus();
}

}  // namespace

base::json::value text_or_null(const std::optional<std::string>& text) {
  return text ? base::json::value(base::json::string(*text)) : base::json::value(nullptr);
}

absl::StatusOr<std::string> read_name(const Object& body, std::string_view field) {
  std::string name(body.at(field).get_string());
  const bool control =
      std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (!control) return name;
  return parameter_error("Invalid '" + std::string(field) + "': it holds a control character.",
                         field, "invalid_value");
}

absl::StatusOr<store::PersonRow> find_user(const Exchange& exchange, const std::string& id) {
  return people(exchange).users().find(exchange.principal.organization, id);
}

absl::StatusOr<Object> user_object(const Exchange& exchange, const store::PersonRow& row) {
  ASSIGN_OR_RETURN(const auto roles, people(exchange).assignments().all_roles_of_user(row.id));
  ASSIGN_OR_RETURN(const auto used_s, people(exchange).users().key_last_used_s(row.id));
  return Object{{"object", kUser},
                {"id", row.id},
                {"email", text_or_null(row.email)},
                {"name", row.name},
                {"role", base::json::string(governance::organization_word(roles))},
                {"added_at", row.added_s},
                {"disabled_at", time_or_null(row.disabled_s)},
                {"api_key_last_used_at", time_or_null(used_s)},
                {"is_service_account", false},
                {"is_scim_managed", false}};
}

const Schema& user_schema() {
  static const Schema schema = object(
      "User",
      {required("object", one_string_of({kUser}, "")), required("id", string("")),
       required("email", string("").or_null()), required("name", string("")),
       required("role", one_string_of({"owner", "reader"}, "Whether they have the role owner.")),
       required("added_at", integer(0, INT64_MAX, "")),
       required("disabled_at", integer(0, INT64_MAX, "").or_null()),
       required("api_key_last_used_at", integer(0, INT64_MAX, "").or_null()),
       required("is_service_account", boolean("")), required("is_scim_managed", boolean(""))},
      "");
  return schema;
}

const Schema& user_list_schema() {
  static const Schema schema = list_schema("UserList", user_schema());
  return schema;
}

const Schema& user_list_query() {
  static const Schema schema = page_query({optional(
      "emails", array(string("").length(1, 254), 1, kEmailsMax, "Of these addresses alone."))});
  return schema;
}

const Schema& user_change_schema() {
  static const Schema schema = object(
      "UserChange",
      {optional("role", one_string_of({"owner", "reader"},
                                      "owner gives that role, reader takes it; others stay.")),
       optional("role_id", string("A role to give.").length(1, 256)),
       extension("name", string("").length(1, kNameMax)),
       extension("disabled", boolean("Ends their keys and sessions, for good.")),
       ignored("developer_persona", string("")), ignored("technical_level", string(""))},
      "");
  return schema;
}

const Schema& user_deletion_schema() {
  static const Schema schema = deletion_schema("UserDeletion", "organization.user.deleted");
  return schema;
}

void list_users(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto query, read_query(*exchange, user_list_query()));
    std::vector<std::string> emails;
    if (const auto* list = query.if_contains("emails"); list != nullptr && list->is_array())
      for (const auto& email : list->get_array()) emails.emplace_back(email.get_string());
    ASSIGN_OR_RETURN(const auto page,
                     people(*exchange).users().list(exchange->principal.organization, emails,
                                                    page_of(user_list_query(), query)));
    base::json::array data;
    for (const auto& row : page.rows) {
      ASSIGN_OR_RETURN(data.emplace_back(nullptr), user_object(*exchange, row));
    }
    return list_object(std::move(data), page.has_more);
  }());
}

void retrieve_user(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto row, find_user(*exchange, exchange->parameter(0)));
    return user_object(*exchange, row);
  }());
}

void modify_user(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto before, find_user(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, user_change_schema()));
    RETURN_IF_ERROR(change(*exchange, before, body));
    ASSIGN_OR_RETURN(const auto row, find_user(*exchange, before.id));
    return user_object(*exchange, row);
  }());
}

void delete_user(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto row, find_user(*exchange, exchange->parameter(0)));
    RETURN_IF_ERROR(people(*exchange).remove(exchange->principal, row.id));
    return deletion_object("organization.user.deleted", row.id);
  }());
}

}  // namespace plinth::api
