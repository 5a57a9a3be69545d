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

// Ids of the keys that are gone, which the record of the act has, too.
absl::StatusOr<base::json::array> shred(Exchange& exchange, const std::string& organization,
                                        const std::string& project) {
  ASSIGN_OR_RETURN(const auto keys, vault(exchange).shred(organization, project));
  base::json::array ids;
  for (const auto& id : keys) ids.push_back(base::json::string(id));
  exchange.audit.details["data"] = Object{{"keys", ids}};
  // What was sealed leaves the memory, too.
  RETURN_IF_ERROR(exchange.services().governance.content_policies().refresh());
  return ids;
}

// A legal hold on any project of an organization is one on the whole.
absl::Status refuse_held(const Exchange& exchange, const std::string& organization) {
  auto& governance = exchange.services().governance;
  const auto held = [&](const std::string& project) {
    return governance.retention().effective(organization, project).legal_hold;
  };
  if (held("")) {
    return base::invalid_argument("The organization " + organization +
                                  " is under legal hold: it cannot be shredded.");
  }
  store::PageRequest page;
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(const auto projects, governance.tenants().projects(organization, page, true));
    for (const auto& project : projects.rows) {
      page.after = project.id;
      if (!held(project.id)) continue;
      return base::invalid_argument("The project " + project.id +
                                    " is under legal hold: its organization cannot be shredded.");
    }
    more = projects.has_more;
  }
  return absl::OkStatus();
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

const Schema& organization_shredding_schema() {
  static const Schema schema = object(
      "OrganizationShredding",
      {required("object", one_string_of({"organization.shredded"}, "")), required("id", string("")),
       required("keys", array(string(""), 0, SIZE_MAX, "Ids of keys that are gone."))},
      "");
  return schema;
}

const Schema& organization_shredding_request_schema() {
  static const Schema schema =
      object("OrganizationShreddingRequest",
             {required("confirm", string("The organization's id: this cannot be undone."))}, "");
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
    ASSIGN_OR_RETURN(auto ids, shred(*exchange, project.organization, project.id));
    return Object{
        {"object", "organization.project.shredded"}, {"id", project.id}, {"keys", std::move(ids)}};
  }());
}

void shred_organization(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    const auto& organization = exchange->principal.organization;
    ASSIGN_OR_RETURN(const auto body,
                     read_body(*exchange, organization_shredding_request_schema()));
    const Values values(organization_shredding_request_schema(), body);
    if (values.string("confirm") != organization)
      return parameter_error("confirm is not the organization's id.", "confirm");
    RETURN_IF_ERROR(refuse_held(*exchange, organization));
    ASSIGN_OR_RETURN(auto ids, shred(*exchange, organization, ""));
    exchange->audit.id = organization;
    return Object{
        {"object", "organization.shredded"}, {"id", organization}, {"keys", std::move(ids)}};
  }());
}

}  // namespace plinth::api
