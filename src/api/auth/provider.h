// GET /auth/oidc/start and /auth/oidc/done: signing in at the identity provider, by authorization
// code with PKCE.
#pragma once

#include "api/exchange.h"

namespace plinth::api {

void start_at_provider(const ExchangePtr& exchange);
void finish_at_provider(const ExchangePtr& exchange);

}  // namespace plinth::api
