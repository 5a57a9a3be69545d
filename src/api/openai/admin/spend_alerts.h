// /v1/organization/spend_alerts and /v1/organization/projects/{project}/spend_alerts: who is told
// when a month's spending reaches a threshold.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

void list_spend_alerts(const ExchangePtr& exchange);
void create_spend_alert(const ExchangePtr& exchange);
void retrieve_spend_alert(const ExchangePtr& exchange);
void update_spend_alert(const ExchangePtr& exchange);
void delete_spend_alert(const ExchangePtr& exchange);
void list_project_spend_alerts(const ExchangePtr& exchange);
void create_project_spend_alert(const ExchangePtr& exchange);
void retrieve_project_spend_alert(const ExchangePtr& exchange);
void update_project_spend_alert(const ExchangePtr& exchange);
void delete_project_spend_alert(const ExchangePtr& exchange);

const Schema& spend_alert_schema();
const Schema& spend_alert_list_schema();
const Schema& spend_alert_request_schema();
const Schema& spend_alert_deletion_schema();
const Schema& spend_alert_query();

}  // namespace plinth::api
