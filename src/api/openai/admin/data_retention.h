// How long content stays: /v1/organization/data_retention and that of a project. OpenAI's types;
// days and legal_hold are Plinth's own fields.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

void retrieve_data_retention(const ExchangePtr& exchange);
void update_data_retention(const ExchangePtr& exchange);
void retrieve_project_data_retention(const ExchangePtr& exchange);
void update_project_data_retention(const ExchangePtr& exchange);

const Schema& data_retention_schema();
const Schema& project_data_retention_schema();
const Schema& data_retention_request_schema();
const Schema& project_data_retention_request_schema();

}  // namespace plinth::api
