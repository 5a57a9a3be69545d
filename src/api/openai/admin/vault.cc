#include "api/openai/admin/vault.h"

#include "api/error_map.h"
#include "api/openai/admin/listing.h"
#include "api/openai/admin/projects.h"
#include "api/schema/values.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

governance::Vault& vault(const Exchange& exchange) {
  return exchange.services().governance.vault();
}

Object vault_object(const Exchange& exchange) {
  base::json::array masters, keys;
  const auto& master = vault(exchange).master();
  for (const auto& id : master.generations()) masters.push_back(base::json::string(id));
  for (const auto& row : vault(exchange).keys()) {
    if (row.organization != exchange.principal.organization) continue;
    keys.push_back(Object{{"id", row.id},
                          {"project_id", row.project.empty() ? base::json::value(nullptr)
                                                             : base::json::value(row.project)},
                          {"wrapped_by", row.wrapped_by},
                          {"created_at", row.created_s},
                          {"retired_at", time_or_null(row.retired_s)}});
  }
  return {{"object", "organization.vault"},
          {"master_key", master.id()},
          {"master_keys", std::move(masters)},
          {"keys", std::move(keys)}};
}

}  // namespace

const Schema& vault_schema() {
  static const Schema schema = object(
      "Vault",
      {required("object", one_string_of({"organization.vault"}, "")),
       required("master_key", string("Id of the one that wraps.")),
       required("master_keys", array(string(""), 1, SIZE_MAX, "Ids of all that are here.")),
       required("keys",
                array(object("VaultKey",
                             {required("id", string("")),
                              required("project_id",
                                       string("Null = the organization's own key.").or_null()),
                              required("wrapped_by", string("")),
                              required("created_at", integer(0, INT64_MAX, "")),
                              required("retired_at", integer(0, INT64_MAX, "").or_null())},
                             ""),
                      0, SIZE_MAX, "Data keys, oldest first."))},
      "");
  return schema;
}

const Schema& vault_rotation_schema() {
  static const Schema schema = object(
      "VaultRotation",
      {required("key", one_string_of({"master", "data"},
                                     "master: all data keys are wrapped anew. data: what is new is"
                                     " sealed under new keys; what is there follows.")),
       optional("project_id", string("New keys for this project alone."))},
      "");
  return schema;
}

const Schema& shredding_schema() {
  static const Schema schema =
      object("ProjectShredding",
             {required("object", one_string_of({"organization.project.shredded"}, "")),
              required("id", string("")),
              required("keys", array(string(""), 0, SIZE_MAX, "Ids of keys that are gone."))},
             "");
  return schema;
}

const Schema& shredding_request_schema() {
  static const Schema schema = object(
      "ProjectShreddingRequest",
      {required("confirm", string("The project's id once more: this cannot be undone."))}, "");
  return schema;
}

void retrieve_vault(const ExchangePtr& exchange) { answer(exchange, vault_object(*exchange)); }

void rotate_vault(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, vault_rotation_schema()));
    const Values values(vault_rotation_schema(), body);
    std::string project;
    if (const auto* given = values.given("project_id"); given != nullptr) {
      ASSIGN_OR_RETURN(const auto row, find_project(*exchange, std::string(given->get_string())));
      project = row.id;
    }
    if (values.string("key") == "master") {
      if (!project.empty())
        return parameter_error("There is one master key for all projects.", "project_id");
      RETURN_IF_ERROR(vault(*exchange).renew_master());
    } else {
      RETURN_IF_ERROR(vault(*exchange).renew_keys(exchange->principal.organization, project));
    }
    return vault_object(*exchange);
  }());
}

void rewrap_vault(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto gone, vault(*exchange).forget_masters());
    base::json::array ids;
    for (const auto& id : gone) ids.push_back(base::json::string(id));
    exchange->audit.details["data"] = Object{{"master_keys_destroyed", std::move(ids)}};
    return vault_object(*exchange);
  }());
}

void shred_project(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, shredding_request_schema()));
    if (Values(shredding_request_schema(), body).string("confirm") != project.id)
      return parameter_error("confirm is not the project's id.", "confirm");
    if (!project.archived_s)
      return base::invalid_argument("The project " + project.id + " is in use: archive it first.");
    if (exchange->services()
            .governance.retention()
            .effective(project.organization, project.id)
            .legal_hold) {
      return base::invalid_argument("The project " + project.id +
                                    " is under legal hold: it cannot be shredded.");
    }
    ASSIGN_OR_RETURN(const auto keys, vault(*exchange).shred(project.organization, project.id));
    base::json::array ids;
    for (const auto& id : keys) ids.push_back(base::json::string(id));
    exchange->audit.details["data"] = Object{{"keys", ids}};
    return Object{
        {"object", "organization.project.shredded"}, {"id", project.id}, {"keys", std::move(ids)}};
  }());
}

}  // namespace plinth::api
