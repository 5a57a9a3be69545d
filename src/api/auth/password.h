// POST /auth/sign_in, POST /auth/password and POST /v1/organization/users/{user}/password.
#pragma once

#include "api/exchange.h"

namespace plinth::api {

const Schema& sign_in_schema();
const Schema& password_change_schema();
const Schema& new_password_schema();
const Schema& new_password_answer_schema();

void sign_in_by_password(const ExchangePtr& exchange);
void change_password(const ExchangePtr& exchange);
// The hash, which takes 30 ms; then the act.
absl::Status prepare_user_password(Exchange& exchange);
void set_user_password(const ExchangePtr& exchange);

}  // namespace plinth::api
