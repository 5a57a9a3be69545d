// GET /auth/session and POST /auth/sign_out.
#pragma once

#include "api/exchange.h"

namespace plinth::api {

const Schema& session_schema();      // of who has just signed in
const Schema& own_session_schema();  // with what they may
const Schema& session_end_schema();
Schema session_user_schema(const char* name);

void show_session(const ExchangePtr& exchange);
void sign_out(const ExchangePtr& exchange);

}  // namespace plinth::api
