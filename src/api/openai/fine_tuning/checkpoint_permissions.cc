#include "api/openai/fine_tuning/checkpoint_permissions.h"

#include <algorithm>

#include "api/openai/admin/listing.h"
#include "api/openai/admin/projects.h"
#include "api/openai/models.h"
#include "api/openai/project_errors.h"
#include "api/schema/values.h"
#include "governance/tuning_limits.h"

namespace plinth::api {

namespace {

using Object = base::json::object;
using governance::ModelGrant;

constexpr char kObject[] = "checkpoint.permission";

governance::ModelPermissions& permissions(const Exchange& exchange) {
  return exchange.services().governance.model_permissions();
}

// The model of the path, which a project of the caller's organization made.
absl::StatusOr<std::string> find_checkpoint(const Exchange& exchange) {
  const auto& model = exchange.parameter(0);
  const auto owners = permissions(exchange).owners(model);
  const bool ours = std::any_of(owners.begin(), owners.end(), [&](const auto& project) {
    return find_project(exchange, project).ok();
  });
  if (!ours) return model_not_found(model, true);
  return model;
}

Object permission_object(const ModelGrant& grant) {
  return {{"object", kObject},
          {"id", grant.id},
          {"created_at", grant.created_s},
          {"project_id", grant.project}};
}

Object whole_list(const std::vector<ModelGrant>& grants) {
  base::json::array data;
  for (const auto& grant : grants) data.push_back(permission_object(grant));
  return list_object(std::move(data), false);
}

absl::StatusOr<Object> create(Exchange& exchange) {
  ASSIGN_OR_RETURN(const auto body, read_body(exchange, checkpoint_permissions_request_schema()));
  ASSIGN_OR_RETURN(const auto model, find_checkpoint(exchange));
  std::vector<std::string> projects;
  for (const auto& id : body.at("project_ids").get_array()) {
    const auto project = find_open_project(exchange, std::string(id.get_string()));
    if (!project.ok()) return error_at(project.status(), "project_ids");
    projects.push_back(project->id);
  }
  auto& shared = permissions(exchange);
  for (const auto& project : projects) {
    if (shared.owns(project, model)) continue;
    RETURN_IF_ERROR(shared.share(model, project, next_id(exchange.services().clock, "cp_")));
  }
  auto grants = shared.grants(model);
  std::erase_if(grants, [&](const auto& grant) {
    return std::find(projects.begin(), projects.end(), grant.project) == projects.end();
  });
  exchange.audit.id = model;
  return whole_list(grants);
}

absl::StatusOr<Object> list(const Exchange& exchange) {
  const auto& schema = checkpoint_permission_query();
  ASSIGN_OR_RETURN(const auto query, read_query(exchange, schema));
  ASSIGN_OR_RETURN(const auto model, find_checkpoint(exchange));
  const Values values(schema, query);
  auto grants = permissions(exchange).grants(model);
  if (const auto project = values.string("project_id"); !project.empty())
    std::erase_if(grants, [&](const auto& grant) { return grant.project != project; });
  auto page = page_of(schema, query);
  page.descending = values.string("order") == "descending";
  auto rows = page_of_list(std::move(grants), page);
  if (!rows.ok()) return error_at(rows.status(), "after");
  return list_object(*rows, permission_object);
}

absl::StatusOr<Object> remove(Exchange& exchange) {
  ASSIGN_OR_RETURN(const auto model, find_checkpoint(exchange));
  const auto& id = exchange.parameter(1);
  const auto grants = permissions(exchange).grants(model);
  const auto grant =
      std::find_if(grants.begin(), grants.end(), [&](const auto& one) { return one.id == id; });
  if (grant == grants.end()) {
    return error_at(base::not_found("No such permission of the checkpoint: " + id),
                    "permission_id");
  }
  RETURN_IF_ERROR(permissions(exchange).unshare(model, grant->project));
  exchange.audit.resources.push_back(model);
  return deletion_object(kObject, id);
}

}  // namespace

const Schema& checkpoint_permissions_request_schema() {
  static const Schema schema = object(
      "CreateCheckpointPermissions",
      {required("project_ids", array(string("").length(1, 128), 1, governance::kSharedAtOnceMax,
                                     "Projects of the organization that may call it, too."))},
      "");
  return schema;
}

const Schema& checkpoint_permission_list_schema() {
  static const Schema schema = list_schema(
      "CheckpointPermissionList",
      object("CheckpointPermission",
             {required("object", one_string_of({kObject}, "")), required("id", string("")),
              required("created_at", integer(0, INT64_MAX, "Seconds since 1970.")),
              required("project_id", string("That may call the model."))},
             ""));
  return schema;
}

const Schema& checkpoint_permission_query() {
  static const Schema schema = page_query(
      {optional("project_id", string("Of this one alone.").length(0, 128).or_else("")),
       optional("order", one_string_of({"ascending", "descending"}, "Oldest or newest first.")
                             .or_else("descending"))});
  return schema;
}

const Schema& checkpoint_permission_deletion_schema() {
  static const Schema schema = deletion_schema("CheckpointPermissionDeletion", kObject);
  return schema;
}

void create_checkpoint_permissions(const ExchangePtr& exchange) {
  answer(exchange, create(*exchange));
}
void list_checkpoint_permissions(const ExchangePtr& exchange) { answer(exchange, list(*exchange)); }
void delete_checkpoint_permission(const ExchangePtr& exchange) {
  answer(exchange, remove(*exchange));
}

}  // namespace plinth::api
