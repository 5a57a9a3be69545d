// /v1/organization/roles and /v1/projects/{project}/roles: built-in roles and custom ones.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

// Each for both paths: with a {project} it is that project's roles.
void list_roles(const ExchangePtr& exchange);
void create_role(const ExchangePtr& exchange);
void retrieve_role(const ExchangePtr& exchange);
void modify_role(const ExchangePtr& exchange);
// Whoever had it has it no more.
void delete_role(const ExchangePtr& exchange);

const Schema& role_schema();
const Schema& role_list_schema();
const Schema& role_request_schema();
const Schema& role_change_schema();
const Schema& role_deletion_schema();

base::json::object role_object(const governance::AccessRole& role,
                               const governance::RoleScope& scope);
// Where a path's roles count. NotFound where its project does not exist.
absl::StatusOr<governance::RoleScope> role_scope(const Exchange& exchange);
// The parameter of the path after its project, where it has one.
const std::string& parameter_after_project(const Exchange& exchange, std::size_t index);
base::json::array name_array(governance::PermissionSet set);
std::vector<Field> role_fields();

}  // namespace plinth::api
