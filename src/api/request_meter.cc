#include "api/request_meter.h"

#include <fmt/format.h>

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

std::int64_t microseconds(base::Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

}  // namespace

absl::StatusOr<RequestMeter> RequestMeter::begin(const ExchangePtr& exchange,
                                                 const std::string& name,
                                                 const governance::Called& called) {
  if (!exchange->principal.may_call(name)) return no_access(exchange->principal, name);
  RequestMeter meter(exchange, {called.model});
  auto& governance = exchange->services().governance;
  if (called.deployment != nullptr) {
    meter.demand_.deployment = governance::deployment_scope(*called.deployment);
    meter.demand_.service_class = called.deployment->service_class;
    if (called.deployment->service_class == "provisioned") {
      ASSIGN_OR_RETURN(meter.throughput_, governance.throughput().begin(*called.deployment));
    }
  }
  auto ticket = governance.admission().begin(exchange->principal, meter.demand_);
  meter.show();
  RETURN_IF_ERROR(ticket.status());
  meter.ticket_ = *std::move(ticket);
  return meter;
}

absl::Status RequestMeter::reserve(std::int64_t prompt_tokens, std::int64_t output_tokens) {
  auto& admission = exchange_->services().governance.admission();
  const auto status = admission.reserve(ticket_, prompt_tokens, output_tokens);
  if (status.ok()) throughput_.add(prompt_tokens, output_tokens);
  show();
  return status;
}

void RequestMeter::show() const {
  auto& admission = exchange_->services().governance.admission();
  exchange_->set_headers(
      rate_headers(admission.view(exchange_->principal, demand_), exchange_->dialect));
}

void RequestMeter::admitted() {
  if (admitted_ == base::TimePoint{}) admitted_ = exchange_->services().clock.now();
}

void RequestMeter::settle(const governance::TokenCount& tokens, std::int64_t choices,
                          const std::string& status,
                          std::function<void(const absl::Status&)> done) {
  throughput_.settle(tokens);
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
