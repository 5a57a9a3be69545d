#include "api/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "api/error_map.h"
#include "api/openai/models.h"
#include "governance/refusal.h"

namespace plinth::api {

namespace {

struct Found {
  governance::Called called;
  cluster::ModelCard card;
};

bool is_hidden(const Exchange& exchange, const std::string& model) {
  const auto& permissions = exchange.services().governance.model_permissions();
  const auto& project = exchange.principal.project;
  if (!permissions.has_owner(model) || permissions.owns(project, model)) return false;
  const auto grants = permissions.grants(model);
  return std::none_of(grants.begin(), grants.end(),
                      [&](const auto& grant) { return grant.project == project; });
}

absl::StatusOr<Found> find(const Exchange& exchange, const std::string& name, Purpose purpose,
                           std::string_view endpoint) {
  auto& services = exchange.services();
  // Ids are random.
  const auto draw = static_cast<std::int64_t>(std::hash<std::string>()(exchange.id()) % 100);
  Found found;
  auto& deployments = services.governance.deployments();
  ASSIGN_OR_RETURN(found.called, deployments.find(exchange.principal.project, name, draw));
  // Of another project's tuned model nobody learns that it is there.
  if (is_hidden(exchange, found.called.model)) return model_not_found(name, false);
  ASSIGN_OR_RETURN(found.card, purpose == Purpose::generate
                                   ? generating_model(services, found.called.model, endpoint)
                                   : embedding_model(services, found.called.model));
  return found;
}

absl::StatusOr<std::shared_ptr<const governance::ContentFilter>> filter_of(
    const Exchange& exchange, const governance::Called& called) {
  const auto& services = exchange.services();
  const bool own = called.deployment != nullptr && !called.deployment->content_policy.empty();
  const auto& name = own ? called.deployment->content_policy : services.content_policy;
  ASSIGN_OR_RETURN(auto filter,
                   services.governance.content_policies().filter(exchange.principal.project, name));
  const bool active = filter->active(governance::ContentSource::prompt) ||
                      filter->active(governance::ContentSource::completion);
  return active ? filter : nullptr;
}

// `allowed`: the name that the caller's key must be allowed to call.
void open(const ExchangePtr& exchange, const std::string& name, const std::string& allowed,
          Purpose purpose, const std::string& endpoint, Opened done) {
  auto found = find(*exchange, name, purpose, endpoint);
  if (!found.ok()) return done(found.status());
  auto filter = filter_of(*exchange, found->called);
  if (!filter.ok()) return done(filter.status());
  const auto called = found->called;
  auto begun = [exchange, name, found = *std::move(found), filter = *std::move(filter),
                done = std::move(done)](absl::StatusOr<RequestMeter> meter) {
    if (!meter.ok()) return done(meter.status());
    if (exchange->dialect == Dialect::azure) {
      exchange->set_headers({{"x-ms-deployment-name", name},
                             {"x-ms-rai-invoked", filter != nullptr ? "true" : "false"}});
    }
    done(Target{found.called.deployment, found.card, filter, *std::move(meter)});
  };
  RequestMeter::begin(exchange, allowed, called, std::move(begun));
}

// Where a refused request for the deployment may go; "" where nowhere.
std::string spillover_of(const Exchange& exchange, const std::string& name) {
  const auto deployment =
      exchange.services().governance.deployments().deployment(exchange.principal.project, name);
  if (deployment == nullptr || deployment->service_class != "provisioned") return {};
  const std::string asked(exchange.request().header("x-ms-spillover-deployment"));
  return asked.empty() ? deployment->spillover : asked;
}

}  // namespace

void open_target(const ExchangePtr& exchange, const std::string& name, Purpose purpose,
                 const std::string& endpoint, Opened done) {
  auto opened = [=](absl::StatusOr<Target> target) {
    if (target.ok() || !governance::refusal_of(target.status())) return done(std::move(target));
    const auto spillover = spillover_of(*exchange, name);
    if (spillover.empty()) return done(std::move(target));
    // What the deployment names itself, its callers may use; what they name, if they may call it.
    const bool asked = !exchange->request().header("x-ms-spillover-deployment").empty();
    auto spilled = [=, refusal = target.status()](absl::StatusOr<Target> other) {
      // Its own refusal would speak of a deployment that the caller did not name.
      if (!other.ok()) return done(refusal);
      exchange->set_headers({{"x-ms-spillover-from-deployment", name},
                             {"x-ms-spillover-deployment", spillover},
                             {"x-ms-spillover-error", std::to_string(http_status(refusal))}});
      done(std::move(other));
    };
    open(exchange, spillover, asked ? spillover : name, purpose, endpoint, std::move(spilled));
  };
  open(exchange, name, name, purpose, endpoint, std::move(opened));
}

void apply_deployment(const Target& target, std::vector<std::string>& left_out,
                      protocol::GenerateRequest& request) {
  request.model = target.card.id;
  if (target.deployment == nullptr) return;
  const auto& deployment = *target.deployment;
  if (!request.max_tokens && deployment.default_max_output)
    request.max_tokens = static_cast<std::int32_t>(*deployment.default_max_output);
  for (const auto& [name, value] : deployment.default_parameters) {
    const auto place = std::find(left_out.begin(), left_out.end(), name);
    if (place == left_out.end()) continue;
    protocol::set_sampling(request.sampling, name, value);
    left_out.erase(place);
  }
}

}  // namespace plinth::api
