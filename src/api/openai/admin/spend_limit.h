// A month's budget in OpenAI's own form: /v1/organization/spend_limit and
// /v1/organization/projects/{project}/spend_limit, in cents.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

void retrieve_month_limit(const ExchangePtr& exchange);
void update_month_limit(const ExchangePtr& exchange);
void remove_month_limit(const ExchangePtr& exchange);
void retrieve_project_month_limit(const ExchangePtr& exchange);
void update_project_month_limit(const ExchangePtr& exchange);
void remove_project_month_limit(const ExchangePtr& exchange);

const Schema& month_limit_schema();
const Schema& month_limit_request_schema();
const Schema& month_limit_deletion_schema();

}  // namespace plinth::api
