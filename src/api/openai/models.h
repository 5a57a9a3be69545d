// GET /v1/models and /v1/models/{model}, and the check of the model that a request names.
#pragma once

#include <string>
#include <string_view>

#include "api/exchange.h"
#include "api/schema/schema.h"

namespace plinth::api {

const Schema& model_schema();
const Schema& model_list_schema();

void list_models(const ExchangePtr& exchange);
void retrieve_model(const ExchangePtr& exchange);

// NotFound in OpenAI's words; `with_param` where the model is the path's and not the body's.
absl::Status model_not_found(std::string_view name, bool with_param);
// NotFound, or InvalidArgument where the model does something else; `endpoint` is for the message.
absl::StatusOr<cluster::ModelCard> generating_model(const Services& services,
                                                    const std::string& model,
                                                    std::string_view endpoint);
absl::StatusOr<cluster::ModelCard> embedding_model(const Services& services,
                                                   const std::string& model);

}  // namespace plinth::api
