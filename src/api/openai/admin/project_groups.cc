#include "api/openai/admin/groups.h"
#include "api/openai/admin/listing.h"
#include "api/openai/admin/project_members.h"
#include "api/openai/admin/projects.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

governance::People& people(const Exchange& exchange) {
  return exchange.services().governance.people();
}

absl::StatusOr<Object> member_object(const Exchange& exchange, const std::string& project,
                                     const store::MemberRow& member) {
  ASSIGN_OR_RETURN(const auto group, find_group(exchange, member.subject.id));
  return Object{{"object", "project.group"}, {"project_id", project},
                {"group_id", group.id},      {"group_name", group.name},
                {"group_type", "group"},     {"created_at", member.added_s}};
}

absl::StatusOr<Object> find_member(const Exchange& exchange, const std::string& project,
                                   const std::string& group) {
  ASSIGN_OR_RETURN(const auto member,
                   people(exchange).assignments().member(project, store::group_subject(group)));
  return member_object(exchange, project, member);
}

}  // namespace

const Schema& project_group_schema() {
  static const Schema schema = object(
      "ProjectGroup",
      {required("object", one_string_of({"project.group"}, "")), required("project_id", string("")),
       required("group_id", string("")), required("group_name", string("")),
       required("group_type", one_string_of({"group"}, "")),
       required("created_at", integer(0, INT64_MAX, ""))},
      "");
  return schema;
}

const Schema& project_group_list_schema() {
  static const Schema schema = next_list_schema("ProjectGroupList", project_group_schema());
  return schema;
}

const Schema& project_group_request_schema() {
  static const Schema schema =
      object("ProjectGroupRequest",
             {required("group_id", string("").length(1, 256)),
              required("role", string("Id of the role it gets in the project.").length(1, 256))},
             "");
  return schema;
}

const Schema& project_group_deletion_schema() {
  static const Schema schema =
      object("ProjectGroupDeletion",
             {required("object", one_string_of({"project.group.deleted"}, "")),
              required("deleted", boolean(""))},
             "");
  return schema;
}

const Schema& project_group_query() {
  static const Schema schema =
      object("", {optional("group_type", one_string_of({"group"}, "There are no others."))}, "");
  return schema;
}

void list_project_groups(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto query, read_query(*exchange, next_page_query_schema()));
    ASSIGN_OR_RETURN(const auto page,
                     people(*exchange).assignments().members(
                         project.id, "group", page_of(next_page_query_schema(), query)));
    base::json::array data;
    for (const auto& member : page.rows) {
      ASSIGN_OR_RETURN(data.emplace_back(nullptr), member_object(*exchange, project.id, member));
    }
    return next_list_object(std::move(data), page.has_more,
                            page.rows.empty() ? "" : page.rows.back().subject.id);
  }());
}

void add_project_group(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_open_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, project_group_request_schema()));
    const std::string group(body.at("group_id").get_string());
    RETURN_IF_ERROR(people(*exchange).give(exchange->principal, store::group_subject(group),
                                           project.id, std::string(body.at("role").get_string())));
    return find_member(*exchange, project.id, group);
  }());
}

void retrieve_project_group(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    RETURN_IF_ERROR(read_query(*exchange, project_group_query()).status());
    return find_member(*exchange, project.id, exchange->parameter(1));
  }());
}

void remove_project_group(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    RETURN_IF_ERROR(people(*exchange).remove_from_project(
        exchange->principal, store::group_subject(exchange->parameter(1)), project.id));
    return Object{{"object", "project.group.deleted"}, {"deleted", true}};
  }());
}

}  // namespace plinth::api
