// /v1/fine_tuning/checkpoints/{checkpoint}/permissions: which projects may call a tuned model that
// another one made.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

void create_checkpoint_permissions(const ExchangePtr& exchange);
void list_checkpoint_permissions(const ExchangePtr& exchange);
void delete_checkpoint_permission(const ExchangePtr& exchange);

const Schema& checkpoint_permissions_request_schema();
const Schema& checkpoint_permission_list_schema();
const Schema& checkpoint_permission_query();
const Schema& checkpoint_permission_deletion_schema();

}  // namespace plinth::api
