// Deployments of a project: PUT, GET, DELETE and the list.
#pragma once

#include "api/exchange.h"

namespace plinth::api {

void list_deployments(const ExchangePtr& exchange);
void put_deployment(const ExchangePtr& exchange);
void retrieve_deployment(const ExchangePtr& exchange);
void delete_deployment(const ExchangePtr& exchange);

}  // namespace plinth::api
