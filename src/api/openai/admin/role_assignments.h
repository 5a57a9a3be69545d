// Who has which role: /v1/organization/{users,groups}/{id}/roles in the organization, and
// /v1/projects/{project}/{users,groups}/{id}/roles in a project.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

// Each for the four paths.
void list_assigned_roles(const ExchangePtr& exchange);
void assign_role(const ExchangePtr& exchange);
void retrieve_assigned_role(const ExchangePtr& exchange);
void unassign_role(const ExchangePtr& exchange);

const Schema& assigned_role_schema();
const Schema& assigned_role_list_schema();
const Schema& role_assignment_request_schema();
const Schema& user_role_schema();
const Schema& group_role_schema();
const Schema& role_unassignment_schema();

}  // namespace plinth::api
