// Who belongs to a project: /v1/organization/projects/{project}/users and .../groups.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

void list_project_users(const ExchangePtr& exchange);
void add_project_user(const ExchangePtr& exchange);
void retrieve_project_user(const ExchangePtr& exchange);
void modify_project_user(const ExchangePtr& exchange);
void remove_project_user(const ExchangePtr& exchange);

void list_project_groups(const ExchangePtr& exchange);
void add_project_group(const ExchangePtr& exchange);
void retrieve_project_group(const ExchangePtr& exchange);
void remove_project_group(const ExchangePtr& exchange);

const Schema& project_user_schema();
const Schema& project_user_list_schema();
const Schema& project_user_request_schema();
const Schema& project_user_change_schema();
const Schema& project_user_deletion_schema();
const Schema& project_group_schema();
const Schema& project_group_list_schema();
const Schema& project_group_request_schema();
const Schema& project_group_deletion_schema();
const Schema& project_group_query();

}  // namespace plinth::api
