// /v1/organization/invites: who may join, and how they do.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

void list_invites(const ExchangePtr& exchange);
// The token is in this answer alone: whoever has it may join.
void create_invite(const ExchangePtr& exchange);
void retrieve_invite(const ExchangePtr& exchange);
void delete_invite(const ExchangePtr& exchange);
// Open to everybody: the token is the proof.
void accept_invite(const ExchangePtr& exchange);

const Schema& invite_schema();
const Schema& invite_list_schema();
const Schema& invite_request_schema();
const Schema& invite_deletion_schema();
const Schema& invite_acceptance_schema();
const Schema& new_user_schema();

}  // namespace plinth::api
