#include "api/request_meter.h"

#include <fmt/format.h>

#include <memory>

#include "absl/strings/cord.h"
#include "api/rate_headers.h"
#include "api/request_metrics.h"
#include "protocol/generate.h"

namespace plinth::api {

namespace {

absl::Status no_access(const governance::Principal& principal, std::string_view model) {
  absl::Status status = absl::PermissionDeniedError(base::to_absl(fmt::format(
      "This key of project `{}` does not have access to model `{}`", principal.project, model)));
  status.SetPayload(protocol::kCodePayload, absl::Cord("model_not_found"));
  return status;
}

absl::Status no_access_of_project(const governance::Principal& principal, std::string_view model) {
  absl::Status status = absl::PermissionDeniedError(base::to_absl(
      fmt::format("Project `{}` does not have access to model `{}`", principal.project, model)));
  status.SetPayload(protocol::kCodePayload, absl::Cord("model_not_found"));
  return status;
}

std::int64_t microseconds(base::Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

}  // namespace

void RequestMeter::begin(const ExchangePtr& exchange, const std::string& name,
                         const governance::Called& called,
                         std::function<void(absl::StatusOr<RequestMeter>)> done) {
  if (!exchange->principal.may_call(name)) return done(no_access(exchange->principal, name));
  auto& governance = exchange->services().governance;
  // What answers counts, which of a spillover is another deployment than the caller named.
  const auto* deployment = called.deployment.get();
  const auto& own = deployment == nullptr ? called.model : deployment->name;
  const auto& declared = deployment == nullptr ? called.model : deployment->model;
  if (!governance.model_permissions().may_call(exchange->principal.project,
                                               {own, declared, called.model}))
    return done(no_access_of_project(exchange->principal, name));
  // Shared since std::function copies; it goes to `done`.
  const auto meter = std::make_shared<RequestMeter>(RequestMeter(exchange, {called.model}));
  if (called.deployment != nullptr) {
    meter->demand_.deployment = governance::deployment_scope(*called.deployment);
    meter->demand_.service_class = called.deployment->service_class;
    if (called.deployment->service_class == "provisioned") {
      const auto unit = governance.throughput().of(called.deployment->model);
      if (!unit.ok()) return done(unit.status());
      meter->demand_.output_weight = unit->output_weight;
    }
  }
  auto answer = [meter,
                 done = std::move(done)](absl::StatusOr<governance::Admission::Ticket> ticket) {
    meter->show();
    if (!ticket.ok()) return done(ticket.status());
    meter->ticket_ = *std::move(ticket);
    done(std::move(*meter));
  };
  auto ticket = governance.admission().begin(exchange->principal, meter->demand_, answer);
  if (ticket) answer(*std::move(ticket));
}

std::optional<absl::Status> RequestMeter::reserve(const governance::TokenCount& most,
                                                  std::function<void(const absl::Status&)> later) {
  auto& admission = exchange_->services().governance.admission();
  auto status = admission.reserve(
      ticket_, most,
      [exchange = exchange_, demand = demand_, later = std::move(later)](const auto& outcome) {
        show(*exchange, demand);
        later(outcome);
      });
  if (status) show();
  return status;
}

void RequestMeter::show(Exchange& exchange, const governance::Demand& demand) {
  auto& admission = exchange.services().governance.admission();
  exchange.set_headers(rate_headers(admission.view(exchange.principal, demand), exchange.dialect));
}

void RequestMeter::admitted() {
  if (admitted_ == base::TimePoint{}) admitted_ = exchange_->services().clock.now();
}

void RequestMeter::settle(const governance::TokenCount& tokens, std::int64_t choices,
                          const std::string& status,
                          std::function<void(const absl::Status&)> done) {
  governance::UsageEvent event;
  event.request_id = exchange_->id();
  event.principal = exchange_->principal;
  event.demand = demand_;
  event.operation = operation_of(exchange_->endpoint);
  event.status = status;
  event.choices = choices;
  event.tokens = tokens;
  if (admitted_ != base::TimePoint{})
    event.queue_us = microseconds(admitted_ - exchange_->started());
  event.device_us = device_us_;
  exchange_->services().governance.meter().settle(std::move(ticket_), event, std::move(done));
}

}  // namespace plinth::api
