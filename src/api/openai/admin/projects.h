// /v1/organization/projects: the projects of an organization.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

void list_projects(const ExchangePtr& exchange);
void create_project(const ExchangePtr& exchange);
void retrieve_project(const ExchangePtr& exchange);
void modify_project(const ExchangePtr& exchange);
// Its keys end with it, for good.
void archive_project(const ExchangePtr& exchange);

const Schema& project_schema();
const Schema& project_list_schema();
const Schema& project_list_query();
const Schema& project_request_schema();

// The project of a path, which is one of the caller's organization: NotFound otherwise.
absl::StatusOr<store::ProjectRow> find_project(const Exchange& exchange, const std::string& id);
// InvalidArgument where it is archived: nothing is added to such a project.
absl::StatusOr<store::ProjectRow> find_open_project(const Exchange& exchange,
                                                    const std::string& id);

}  // namespace plinth::api
