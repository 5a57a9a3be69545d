#include "api/openai/models.h"

#include <fmt/format.h>

#include "absl/strings/cord.h"

namespace plinth::api {

namespace {

base::json::object model_object(const cluster::ModelCard& card) {
  return {{"id", card.id},
          {"object", "model"},
          {"created", card.created_unix_seconds},
          {"owned_by", card.owned_by}};
}

}  // namespace

absl::Status model_not_found(const std::string& name, bool with_param) {
  absl::Status status = base::not_found(
      fmt::format("The model `{}` does not exist or you do not have access to it.", name));
  status.SetPayload(protocol::kCodePayload, absl::Cord("model_not_found"));
  if (with_param) status.SetPayload(protocol::kParamPayload, absl::Cord("model"));
  return status;
}

void list_models(const ExchangePtr& exchange) {
  base::json::array data;
  for (const auto& card : exchange->services().models.list()) data.push_back(model_object(card));
  exchange->send_json({{"object", "list"}, {"data", std::move(data)}});
}

void retrieve_model(const ExchangePtr& exchange) {
  const auto& name = exchange->path_parameter;
  const auto card = exchange->services().models.find(name);
  if (!card.ok()) return exchange->refuse(model_not_found(name, true));
  exchange->send_json(model_object(*card));
}

}  // namespace plinth::api
