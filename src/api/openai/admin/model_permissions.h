// /v1/organization/projects/{project}/model_permissions: which models a project may call.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

void retrieve_model_permissions(const ExchangePtr& exchange);
void update_model_permissions(const ExchangePtr& exchange);
void delete_model_permissions(const ExchangePtr& exchange);

const Schema& model_permissions_schema();
const Schema& model_permissions_request_schema();
const Schema& model_permissions_deletion_schema();

}  // namespace plinth::api
