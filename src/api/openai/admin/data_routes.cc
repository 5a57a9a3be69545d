#include "api/openai/admin/data_routes.h"

#include <array>

#include "api/openai/admin/data_retention.h"
#include "api/openai/admin/vault.h"

namespace plinth::api {

namespace {

using governance::Permission;

constexpr std::array kRoutes{
    Route{"GET",
          "/v1/organization/data_retention",
          Permission::read_projects,
          retrieve_data_retention,
          {"getOrganizationDataRetention", "How long content stays.", data_retention_schema}},
    Route{"POST",
          "/v1/organization/data_retention",
          Permission::manage_projects,
          update_data_retention,
          {"updateOrganizationDataRetention", "Changes it, for projects that inherit it.",
           data_retention_schema, data_retention_request_schema},
          {"organization.data_retention.updated", "retention_type days legal_hold"}},
    Route{"GET",
          "/v1/organization/projects/{project}/data_retention",
          Permission::read_projects,
          retrieve_project_data_retention,
          {"getProjectDataRetention", "How long a project's content stays.",
           project_data_retention_schema}},
    Route{"POST",
          "/v1/organization/projects/{project}/data_retention",
          Permission::manage_projects,
          update_project_data_retention,
          {"updateProjectDataRetention", "Changes it.", project_data_retention_schema,
           project_data_retention_request_schema},
          {"project.data_retention.updated", "retention_type days legal_hold"}},
    Route{"POST",
          "/v1/organization/projects/{project}/shred",
          Permission::manage_projects,
          shred_project,
          {"shredProject", "Destroys the keys of an archived project's content, for good.",
           shredding_schema, shredding_request_schema},
          {"project.shredded"}},
    Route{"POST",
          "/v1/organization/shred",
          Permission::manage_projects,
          shred_organization,
          {"shredOrganization", "Destroys the keys of all content of the organization, for good.",
           organization_shredding_schema, organization_shredding_request_schema},
          {"organization.shredded"}},
    Route{"GET",
          "/v1/organization/vault",
          Permission::operate,
          retrieve_vault,
          {"getVault", "The keys of what is sealed; never the keys themselves.", vault_schema}},
    Route{"POST",
          "/v1/organization/vault/rotate",
          Permission::operate,
          rotate_vault,
          {"rotateVault", "New keys.", vault_schema, vault_rotation_schema},
          {"vault.rotated", "key project_id"}},
    Route{"POST",
          "/v1/organization/vault/rewrap",
          Permission::operate,
          rewrap_vault,
          {"rewrapVault", "Ends a rotation: former master keys are destroyed.", vault_schema},
          {"vault.rewrapped"}},
};
static_assert(acts_are_recorded(kRoutes), "an act of administration without an event");

}  // namespace

std::span<const Route> data_routes() { return kRoutes; }

}  // namespace plinth::api
