// Versions of models, and what a unit of their provisioned throughput is: both are this server's
// own, OpenAI has no such thing.
#pragma once

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

const Schema& model_version_schema();
const Schema& model_version_list_schema();
const Schema& model_version_request_schema();
const Schema& model_version_deletion_schema();
void list_model_versions(const ExchangePtr& exchange);
void put_model_version(const ExchangePtr& exchange);
void delete_model_version(const ExchangePtr& exchange);

const Schema& throughput_schema();
const Schema& throughput_list_schema();
const Schema& throughput_request_schema();
void list_throughput(const ExchangePtr& exchange);
void accept_throughput(const ExchangePtr& exchange);

}  // namespace plinth::api
