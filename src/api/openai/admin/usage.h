// /v1/organization/usage/* and /costs: what was used and what it cost, in buckets of time.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

void usage_of_completions(const ExchangePtr& exchange);
void usage_of_embeddings(const ExchangePtr& exchange);
void usage_of_fine_tuning(const ExchangePtr& exchange);  // jobs that succeeded: ours
void list_costs(const ExchangePtr& exchange);

const Schema& usage_page_schema();
const Schema& usage_query_schema();
const Schema& costs_page_schema();
const Schema& costs_query_schema();

}  // namespace plinth::api
