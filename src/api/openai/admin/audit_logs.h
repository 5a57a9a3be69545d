// /v1/organization/audit_logs: acts of administration, sign-ins and refusals on record.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

void list_audit_logs(const ExchangePtr& exchange);

const Schema& audit_log_list_schema();
const Schema& audit_log_query();

}  // namespace plinth::api
