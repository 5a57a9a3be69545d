#include "api/openai/admin/model_permissions.h"

#include "api/openai/admin/listing.h"
#include "api/openai/admin/projects.h"
#include "governance/deployment_limits.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

constexpr char kObject[] = "project.model_permissions";
constexpr char kDeleted[] = "project.model_permissions.deleted";

governance::ModelPermissions& permissions(const Exchange& exchange) {
  return exchange.services().governance.model_permissions();
}

Schema model_ids(const char* doc) {
  return array(string("").length(1, governance::kModelNameBytesMax), 0,
               governance::kPermittedModelsMax, doc);
}

Object permissions_object(const governance::ModelPermission& permission) {
  base::json::array models;
  for (const auto& model : permission.models) models.emplace_back(model);
  return {{"object", kObject},
          {"mode", permission.allow_list ? "allow_list" : "deny_list"},
          {"model_ids", std::move(models)}};
}

}  // namespace

const Schema& model_permissions_schema() {
  static const Schema schema = object(
      "ProjectModelPermissions",
      {required("object", one_string_of({kObject}, "")),
       required("mode", one_string_of({"allow_list", "deny_list"},
                                      "A project without a list has a deny list of nothing.")),
       required("model_ids", model_ids(""))},
      "");
  return schema;
}

const Schema& model_permissions_request_schema() {
  static const Schema schema =
      object("ProjectModelPermissionsRequest",
             {required("mode", one_string_of({"allow_list", "deny_list"},
                                             "These models alone, or all but these.")),
              required("model_ids", model_ids("Models, or deployments of the project. What is not "
                                              "installed may be named."))},
             "");
  return schema;
}

const Schema& model_permissions_deletion_schema() {
  static const Schema schema = object(
      "ProjectModelPermissionsDeletion",
      {required("object", one_string_of({kDeleted}, "")), required("deleted", boolean(""))}, "");
  return schema;
}

void retrieve_model_permissions(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    return permissions_object(permissions(*exchange).of(project.id));
  }());
}

void update_model_permissions(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_open_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, model_permissions_request_schema()));
    governance::ModelPermission permission;
    permission.allow_list = body.at("mode") == "allow_list";
    for (const auto& model : body.at("model_ids").get_array())
      permission.models.emplace_back(model.get_string());
    RETURN_IF_ERROR(permissions(*exchange).set(project.id, std::move(permission)));
    return permissions_object(permissions(*exchange).of(project.id));
  }());
}

void delete_model_permissions(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    RETURN_IF_ERROR(permissions(*exchange).remove(project.id));
    return Object{{"object", kDeleted}, {"deleted", true}};
  }());
}

}  // namespace plinth::api
