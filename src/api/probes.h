// What orchestrators and monitors ask: /healthz, /readyz, /metrics.
#pragma once

#include "api/exchange.h"

namespace plinth::api {

const Schema& health_schema();
const Schema& readiness_schema();

void answer_healthz(const ExchangePtr& exchange);
void answer_readyz(const ExchangePtr& exchange);
void answer_metrics(const ExchangePtr& exchange);

}  // namespace plinth::api
