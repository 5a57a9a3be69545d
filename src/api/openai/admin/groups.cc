#include "api/openai/admin/groups.h"

#include "api/openai/admin/listing.h"
#include "api/openai/admin/users.h"
#include "api/schema/values.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

governance::People& people(const Exchange& exchange) {
  return exchange.services().governance.people();
}

Object group_object(const store::GroupRow& row) {
  return {{"object", "group"},           {"id", row.id},          {"name", row.name},
          {"created_at", row.created_s}, {"group_type", "group"}, {"is_scim_managed", false}};
}

Object group_user_object(const store::PersonRow& row) {
  return {{"object", "user"},   {"id", row.id},
          {"name", row.name},   {"email", text_or_null(row.email)},
          {"picture", nullptr}, {"is_service_account", false},
          {"user_type", "user"}};
}

template <typename Row, typename ToObject>
Object next_page(const store::Page<Row>& page, const ToObject& to_object) {
  base::json::array data;
  for (const auto& row : page.rows) data.push_back(to_object(row));
  return next_list_object(std::move(data), page.has_more,
                          page.rows.empty() ? std::string() : page.rows.back().id);
}

}  // namespace

const Schema& next_page_query_schema() {
  static const Schema schema = next_page_query();
  return schema;
}

const Schema& group_schema() {
  static const Schema schema =
      object("Group",
             {required("object", one_string_of({"group"}, "")), required("id", string("")),
              required("name", string("")), required("created_at", integer(0, INT64_MAX, "")),
              required("group_type", one_string_of({"group"}, "")),
              required("is_scim_managed", boolean(""))},
             "");
  return schema;
}

const Schema& group_list_schema() {
  static const Schema schema = next_list_schema("GroupList", group_schema());
  return schema;
}

const Schema& group_request_schema() {
  static const Schema schema =
      object("GroupRequest", {required("name", string("What people call it.").length(1, 256))}, "");
  return schema;
}

const Schema& group_deletion_schema() {
  static const Schema schema = deletion_schema("GroupDeletion", "group.deleted");
  return schema;
}

const Schema& group_user_schema() {
  static const Schema schema = object(
      "GroupUser",
      {required("object", one_string_of({"user"}, "")), required("id", string("")),
       required("name", string("")), required("email", string("").or_null()),
       required("picture", string("").or_null()), required("is_service_account", boolean("")),
       required("user_type", one_string_of({"user"}, ""))},
      "");
  return schema;
}

const Schema& group_user_list_schema() {
  static const Schema schema = next_list_schema("GroupUserList", group_user_schema());
  return schema;
}

const Schema& group_user_request_schema() {
  static const Schema schema =
      object("GroupUserRequest", {required("user_id", string("").length(1, 256))}, "");
  return schema;
}

const Schema& group_membership_schema() {
  static const Schema schema =
      object("GroupMembership",
             {required("object", one_string_of({"group.user"}, "")),
              required("group_id", string("")), required("user_id", string(""))},
             "");
  return schema;
}

const Schema& group_user_deletion_schema() {
  static const Schema schema =
      object("GroupUserDeletion",
             {required("object", one_string_of({"group.user.deleted"}, "")),
              required("deleted", boolean(""))},
             "");
  return schema;
}

absl::StatusOr<store::GroupRow> find_group(const Exchange& exchange, const std::string& id) {
  return people(exchange).groups().find(exchange.principal.organization, id);
}

void list_groups(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto query, read_query(*exchange, next_page_query_schema()));
    ASSIGN_OR_RETURN(const auto page,
                     people(*exchange).groups().list(exchange->principal.organization,
                                                     page_of(next_page_query_schema(), query)));
    return next_page(page, group_object);
  }());
}

void create_group(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, group_request_schema()));
    ASSIGN_OR_RETURN(const auto name, read_name(body, "name"));
    ASSIGN_OR_RETURN(const auto row, people(*exchange).create_group(exchange->principal, name));
    return group_object(row);
  }());
}

void retrieve_group(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto row, find_group(*exchange, exchange->parameter(0)));
    return group_object(row);
  }());
}

void modify_group(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(auto row, find_group(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, group_request_schema()));
    ASSIGN_OR_RETURN(row.name, read_name(body, "name"));
    RETURN_IF_ERROR(people(*exchange).rename_group(exchange->principal, row.id, row.name));
    return group_object(row);
  }());
}

void delete_group(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    RETURN_IF_ERROR(people(*exchange).remove_group(exchange->principal, exchange->parameter(0)));
    return deletion_object("group.deleted", exchange->parameter(0));
  }());
}

void list_group_users(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto group, find_group(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto query, read_query(*exchange, next_page_query_schema()));
    ASSIGN_OR_RETURN(const auto page, people(*exchange).groups().members(
                                          group.id, page_of(next_page_query_schema(), query)));
    return next_page(page, group_user_object);
  }());
}

void add_group_user(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto group, find_group(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, group_user_request_schema()));
    const std::string user(body.at("user_id").get_string());
    RETURN_IF_ERROR(people(*exchange).add_to_group(exchange->principal, group.id, user));
    return Object{{"object", "group.user"}, {"group_id", group.id}, {"user_id", user}};
  }());
}

void retrieve_group_user(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto group, find_group(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto row,
                     people(*exchange).groups().member(group.id, exchange->parameter(1)));
    return group_user_object(row);
  }());
}

void remove_group_user(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    RETURN_IF_ERROR(people(*exchange).remove_from_group(exchange->principal, exchange->parameter(0),
                                                        exchange->parameter(1)));
    return Object{{"object", "group.user.deleted"}, {"deleted", true}};
  }());
}

}  // namespace plinth::api
