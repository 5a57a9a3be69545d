// A project as Azure's account: what it may call, what it uses, and its two keys.
#pragma once

#include "api/exchange.h"

namespace plinth::api {

void retrieve_account(const ExchangePtr& exchange);
// Models and their versions.
void list_account_models(const ExchangePtr& exchange);
// Capacity that its deployments have of each model.
void list_account_usages(const ExchangePtr& exchange);
// Makes the keys that are not there yet and shows those; of the others what lists show.
void list_account_keys(const ExchangePtr& exchange);
// {keyName: "Key1" | "Key2"}: ends it at once and shows its successor.
void regenerate_account_key(const ExchangePtr& exchange);

// GET /openai/models: models and deployments in Azure's shape.
void list_azure_models(const ExchangePtr& exchange);
void retrieve_azure_model(const ExchangePtr& exchange);

}  // namespace plinth::api
