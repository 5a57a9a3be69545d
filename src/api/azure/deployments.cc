#include "api/azure/deployments.h"

#include <fmt/format.h>

#include "api/azure/resource.h"
#include "api/openai/admin/listing.h"
#include "api/openai/models.h"
#include "governance/deployment_limits.h"
#include "protocol/sampling_defaults.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

constexpr char kType[] = "deployments";

governance::Governance& governed(const Exchange& exchange) {
  return exchange.services().governance;
}

Object rate(std::string_view key, std::int64_t count) {
  return {{"key", key}, {"renewalPeriod", 60}, {"count", count}};
}

Object deployment_object(const Exchange& exchange, const ResourcePlace& place,
                         const governance::Deployment& deployment) {
  auto body = governance::deployment_json(deployment);
  auto& properties = body["properties"].get_object();
  properties["provisioningState"] = "Succeeded";
  auto& governance = governed(exchange);
  const auto served = governance.deployments().versions().choose(
      deployment, 99, exchange.services().clock.unix_seconds());
  if (served.ok()) {
    properties["servedModel"] = served->served;
    if (served->retires_s) properties["retiresAt"] = *served->retires_s;
  }
  if (deployment.service_class == "provisioned") {
    const auto used = governance.admission().utilisation(governance::deployment_scope(deployment));
    // The database knows it; while that is away nobody does.
    if (used.ok()) properties["utilisation"] = *used;
  } else if (deployment.capacity > 0) {
    properties["rateLimits"] =
        base::json::array{rate("request", deployment.capacity * governance::kRequestsOfCapacity),
                          rate("token", deployment.capacity * governance::kTokensOfCapacity)};
  }
  return resource_object(exchange, place, kType, deployment.name, std::move(body));
}

absl::Status bad(std::string_view path, std::string_view what) {
  return base::invalid_argument(fmt::format("[deployment] {}: {}", path, what));
}

// What only this room knows: models and their parameters.
absl::Status check_models(const Exchange& exchange, const governance::Deployment& deployment) {
  auto& governance = governed(exchange);
  for (const auto& version : governance.deployments().versions().of(deployment.model)) {
    if (!exchange.services().models.find(version.served).ok()) {
      return bad("properties.model.name",
                 fmt::format("there is no model `{}` installed", version.served));
    }
  }
  for (const auto& [name, value] : deployment.default_parameters) {
    const auto status = protocol::check_sampling_default(name, value);
    if (!status.ok()) return bad("properties.defaultParameters", base::message(status));
  }
  if (deployment.content_policy.empty()) return absl::OkStatus();
  const auto filter =
      governance.content_policies().filter(deployment.project, deployment.content_policy);
  return filter.ok() ? absl::OkStatus()
                     : bad("properties.raiPolicyName", base::message(filter.status()));
}

}  // namespace

void list_deployments(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    base::json::array out;
    for (const auto& deployment : governed(*exchange).deployments().list(place.project))
      out.push_back(deployment_object(*exchange, place, *deployment));
    return resource_list(place, std::move(out));
  }());
}

void put_deployment(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    ASSIGN_OR_RETURN(const auto body, resource_body(*exchange));
    ASSIGN_OR_RETURN(auto deployment, governance::parse_deployment(body));
    deployment.project = place.project;
    deployment.name = place.names.at(0);
    RETURN_IF_ERROR(check_models(*exchange, deployment));
    ASSIGN_OR_RETURN(const auto stored,
                     governed(*exchange).deployments().put(std::move(deployment)));
    return deployment_object(*exchange, place, stored);
  }());
}

void retrieve_deployment(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto place, place_of(*exchange));
    const auto& name = place.names.at(0);
    const auto found = governed(*exchange).deployments().deployment(place.project, name);
    if (found == nullptr) return base::not_found("No such deployment: " + name);
    return deployment_object(*exchange, place, *found);
  }());
}

void delete_deployment(const ExchangePtr& exchange) {
  const auto place = place_of(*exchange);
  if (!place.ok()) return exchange->refuse(place.status());
  const auto& name = place->names.at(0);
  answer_removed(exchange, *place, name,
                 governed(*exchange).deployments().remove(place->project, name));
}

}  // namespace plinth::api
