#include "api/openai/admin/projects.h"

#include "api/openai/admin/listing.h"
#include "api/schema/values.h"

namespace plinth::api {

namespace {

constexpr std::size_t kNameMax = 256;

base::json::object project_object(const store::ProjectRow& row) {
  return {{"id", row.id},
          {"object", "organization.project"},
          {"name", row.name},
          {"created_at", row.created_s},
          {"archived_at", time_or_null(row.archived_s)},
          {"status", row.archived_s ? "archived" : "active"}};
}

store::TenantStore& tenants(const Exchange& exchange) {
  return exchange.services().governance.tenants();
}

}  // namespace

const Schema& project_schema() {
  static const Schema schema = object(
      "Project",
      {required("id", string("")), required("object", one_string_of({"organization.project"}, "")),
       required("name", string("")), required("created_at", integer(0, INT64_MAX, "")),
       required("archived_at", integer(0, INT64_MAX, "").or_null()),
       required("status", one_string_of({"active", "archived"}, ""))},
      "");
  return schema;
}

const Schema& project_list_schema() {
  static const Schema schema = list_schema("ProjectList", project_schema());
  return schema;
}

const Schema& project_list_query() {
  static const Schema schema =
      page_query({optional("include_archived", boolean("Archived ones, too.").or_else(false))});
  return schema;
}

const Schema& project_request_schema() {
  static const Schema schema = object(
      "ProjectRequest", {required("name", string("What people call it.").length(1, kNameMax))}, "");
  return schema;
}

absl::StatusOr<store::ProjectRow> find_project(const Exchange& exchange, const std::string& id) {
  ASSIGN_OR_RETURN(auto row, tenants(exchange).project(id));
  if (row.organization != exchange.principal.organization)
    return base::not_found("No such project: " + id);
  return row;
}

absl::StatusOr<store::ProjectRow> find_open_project(const Exchange& exchange,
                                                    const std::string& id) {
  ASSIGN_OR_RETURN(auto row, find_project(exchange, id));
  if (row.archived_s) return base::invalid_argument("The project " + id + " is archived.");
  return row;
}

void list_projects(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<base::json::object> {
    ASSIGN_OR_RETURN(const auto query, read_query(*exchange, project_list_query()));
    const bool archived = Values(project_list_query(), query).boolean("include_archived");
    ASSIGN_OR_RETURN(const auto page,
                     tenants(*exchange).projects(exchange->principal.organization,
                                                 page_of(project_list_query(), query), archived));
    return list_object(page, project_object);
  }());
}

void create_project(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<base::json::object> {
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, project_request_schema()));
    const auto& clock = exchange->services().clock;
    store::ProjectRow row;
    row.id = next_id(clock, "proj_");
    row.organization = exchange->principal.organization;
    row.name = std::string(body.at("name").get_string());
    row.created_s = clock.unix_seconds();
    RETURN_IF_ERROR(tenants(*exchange).insert_project(row));
    return project_object(row);
  }());
}

void retrieve_project(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<base::json::object> {
    ASSIGN_OR_RETURN(const auto row, find_project(*exchange, exchange->parameter(0)));
    return project_object(row);
  }());
}

void modify_project(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<base::json::object> {
    ASSIGN_OR_RETURN(auto row, find_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, project_request_schema()));
    row.name = std::string(body.at("name").get_string());
    RETURN_IF_ERROR(tenants(*exchange).rename_project(row.id, row.name));
    return project_object(row);
  }());
}

void archive_project(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<base::json::object> {
    ASSIGN_OR_RETURN(const auto row, find_project(*exchange, exchange->parameter(0)));
    RETURN_IF_ERROR(
        tenants(*exchange).archive_project(row.id, exchange->services().clock.unix_seconds()));
    RETURN_IF_ERROR(exchange->services().governance.keys().revoke_project(row.id));
    ASSIGN_OR_RETURN(const auto archived, tenants(*exchange).project(row.id));
    return project_object(archived);
  }());
}

}  // namespace plinth::api
