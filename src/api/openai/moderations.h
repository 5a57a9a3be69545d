// POST /v1/moderations: what the built-in content lists find in texts.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

void create_moderation(const ExchangePtr& exchange);

const Schema& moderation_request_schema();
const Schema& moderation_answer_schema();

}  // namespace plinth::api
