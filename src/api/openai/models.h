// GET /v1/models and /v1/models/{model}.
#pragma once

#include <string>

#include "api/exchange.h"

namespace plinth::api {

void list_models(const ExchangePtr& exchange);
void retrieve_model(const ExchangePtr& exchange);

// NotFound in OpenAI's words; `with_param` where the model is the path's and not the body's.
absl::Status model_not_found(const std::string& name, bool with_param);

}  // namespace plinth::api
