#include "api/openai/models.h"

#include <fmt/format.h>

#include "absl/strings/cord.h"
#include "api/error_map.h"
#include "protocol/generate.h"

namespace plinth::api {

namespace {

absl::Status wrong_kind(const cluster::ModelCard& card, std::string_view endpoint) {
  const char* hint = card.embeds ? "It makes embeddings: use /v1/embeddings."
                                 : "It generates text: use /v1/chat/completions.";
  return parameter_error(
      fmt::format("The model `{}` does not serve {}. {}", card.id, endpoint, hint), "model",
      "model_not_supported");
}

base::json::object model_object(const cluster::ModelCard& card) {
  return {{"id", card.id},
          {"object", "model"},
          {"created", card.created_unix_seconds},
          {"owned_by", card.owned_by},
          {"root", card.base.empty() ? card.id : card.base},
          {"parent", card.base.empty() ? base::json::value() : base::json::value(card.base)}};
}

// A name that can be called like a model.
base::json::object deployment_object(const governance::Deployment& deployment) {
  return {{"id", deployment.name},
          {"object", "model"},
          {"created", deployment.created_s},
          {"owned_by", deployment.project}};
}

bool may_call(const Exchange& exchange, std::initializer_list<std::string_view> names) {
  return exchange.services().governance.model_permissions().may_call(exchange.principal.project,
                                                                     names);
}

bool may_call(const Exchange& exchange, const governance::Deployment& deployment) {
  const auto called =
      exchange.services().governance.deployments().find(deployment.project, deployment.name, 0);
  const std::string_view served = called.ok() ? called->model : deployment.model;
  return may_call(exchange, {deployment.name, deployment.model, served});
}

}  // namespace

const Schema& model_schema() {
  static const Schema schema =
      object("Model",
             {required("id", string("")), required("object", one_string_of({"model"}, "")),
              required("created", integer(0, INT64_MAX, "Seconds since 1970.")),
              required("owned_by", string("")),
              optional("root", string("The model that it is served over, or itself.")),
              optional("parent", string("Of an adapter: that model.").or_null())},
             "");
  return schema;
}

const Schema& model_list_schema() {
  static const Schema schema = object("ModelList",
                                      {required("object", one_string_of({"list"}, "")),
                                       required("data", array(model_schema(), 0, SIZE_MAX, ""))},
                                      "");
  return schema;
}

absl::Status model_not_found(std::string_view name, bool with_param) {
  absl::Status status = base::not_found(
      fmt::format("The model `{}` does not exist or you do not have access to it.", name));
  status.SetPayload(protocol::kCodePayload, absl::Cord("model_not_found"));
  if (with_param) status.SetPayload(protocol::kParamPayload, absl::Cord("model"));
  return status;
}

void list_models(const ExchangePtr& exchange) {
  base::json::array data;
  for (const auto& card : exchange->services().models.list()) {
    if (may_call(*exchange, {card.id})) data.push_back(model_object(card));
  }
  const auto& project = exchange->principal.project;
  for (const auto& deployment : exchange->services().governance.deployments().list(project)) {
    if (may_call(*exchange, *deployment)) data.push_back(deployment_object(*deployment));
  }
  exchange->send_json({{"object", "list"}, {"data", std::move(data)}});
}

void retrieve_model(const ExchangePtr& exchange) {
  const auto& name = exchange->parameter(0);
  const auto deployment =
      exchange->services().governance.deployments().deployment(exchange->principal.project, name);
  if (deployment != nullptr ? !may_call(*exchange, *deployment) : !may_call(*exchange, {name}))
    return exchange->refuse(model_not_found(name, true));
  if (deployment != nullptr) return exchange->send_json(deployment_object(*deployment));
  const auto card = exchange->services().models.find(name);
  if (!card.ok()) return exchange->refuse(model_not_found(name, true));
  exchange->send_json(model_object(*card));
}

absl::StatusOr<cluster::ModelCard> generating_model(const Services& services,
                                                    const std::string& model,
                                                    std::string_view endpoint) {
  auto card = services.models.find(model);
  if (absl::IsNotFound(card.status())) return model_not_found(model, false);
  if (card.ok() && !card->generates) return wrong_kind(*card, endpoint);
  return card;
}

absl::StatusOr<cluster::ModelCard> embedding_model(const Services& services,
                                                   const std::string& model) {
  auto card = services.models.find(model);
  if (absl::IsNotFound(card.status())) return model_not_found(model, false);
  if (card.ok() && !card->embeds) return wrong_kind(*card, "embeddings");
  return card;
}

}  // namespace plinth::api
