// GET /openapi.json: the document of what is served, made from the route table.
#pragma once

#include "api/exchange.h"

namespace plinth::api {

void answer_openapi(const ExchangePtr& exchange);
const Schema& openapi_schema();

}  // namespace plinth::api
