// /v1/fine_tuning/jobs and what lies below it, and the deletion of what they made.
#pragma once

#include "api/exchange.h"

namespace plinth::api {

void create_tuning_job(const ExchangePtr& exchange);
void list_tuning_jobs(const ExchangePtr& exchange);
void retrieve_tuning_job(const ExchangePtr& exchange);
void cancel_tuning_job(const ExchangePtr& exchange);
void pause_tuning_job(const ExchangePtr& exchange);
void resume_tuning_job(const ExchangePtr& exchange);
// Azure's: 204 once it is over.
void delete_tuning_job(const ExchangePtr& exchange);
void list_tuning_events(const ExchangePtr& exchange);
void list_tuning_checkpoints(const ExchangePtr& exchange);
// DELETE /v1/models/{model}: 403 for a model that is no tuned one.
void delete_tuned_model(const ExchangePtr& exchange);

}  // namespace plinth::api
