// Keys of what is sealed: /v1/organization/vault, and the shredding of a project. Plinth's own.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

void retrieve_vault(const ExchangePtr& exchange);
void rotate_vault(const ExchangePtr& exchange);
void rewrap_vault(const ExchangePtr& exchange);
// For good: what is sealed for the project can never be read again.
void shred_project(const ExchangePtr& exchange);
void shred_organization(const ExchangePtr& exchange);

const Schema& vault_schema();
const Schema& vault_rotation_schema();
const Schema& shredding_schema();
const Schema& shredding_request_schema();
const Schema& organization_shredding_schema();
const Schema& organization_shredding_request_schema();

}  // namespace plinth::api
