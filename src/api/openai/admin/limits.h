// What projects may use: rates of each model, and budgets in money.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

// /v1/organization/projects/{project}/rate_limits: one entry for each installed model, "rl-" and
// its name. A number that is null is no limit.
void list_rate_limits(const ExchangePtr& exchange);
void modify_rate_limit(const ExchangePtr& exchange);

// .../spend_limit of a project, and /v1/organization/spend_limit: a month's budget, or a day's.
void list_spend_limits(const ExchangePtr& exchange);
void set_spend_limit(const ExchangePtr& exchange);
void delete_spend_limit(const ExchangePtr& exchange);
void list_project_spend_limits(const ExchangePtr& exchange);
void set_project_spend_limit(const ExchangePtr& exchange);
void delete_project_spend_limit(const ExchangePtr& exchange);

// /v1/organization/prices
void list_prices(const ExchangePtr& exchange);
void create_price(const ExchangePtr& exchange);

const Schema& rate_limit_schema();
const Schema& rate_limit_list_schema();
const Schema& rate_limit_request_schema();
const Schema& spend_limit_schema();
const Schema& spend_limit_list_schema();
const Schema& spend_limit_request_schema();
const Schema& spend_limit_deletion_schema();
const Schema& price_schema();
const Schema& price_list_schema();
const Schema& price_request_schema();

}  // namespace plinth::api
