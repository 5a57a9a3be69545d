#include "governance/meter.h"

#include <memory>
#include <utility>

namespace plinth::governance {

store::LedgerRow to_ledger_row(const UsageEvent& event, const Price& price, std::int64_t time_ms) {
  store::LedgerRow row;
  row.id = event.request_id;
  row.time_ms = time_ms;
  row.organization = event.principal.organization;
  row.project = event.principal.project;
  row.api_key = event.principal.key_id;
  row.user_id = event.principal.service_account.empty() ? event.principal.user
                                                        : event.principal.service_account;
  row.deployment = event.demand.deployment;
  row.model = event.demand.model;
  row.operation = event.operation;
  row.service_class = event.demand.service_class;
  row.status = event.status;
  row.choices = event.choices;
  row.input_tokens = event.tokens.input;
  row.cached_tokens = event.tokens.cached;
  row.output_tokens = event.tokens.output;
  row.queue_us = event.queue_us;
  row.device_us = event.device_us;
  row.price_version = price.version;
  row.amount_pico = rate(price, event.tokens);
  return row;
}

std::int64_t rate_again(const store::LedgerRow& row, const PriceBook& prices) {
  const auto price = prices.at(row.model, row.service_class, row.time_ms / 1000);
  if (row.kind == "commitment") return rate_units(price, row.choices);
  return rate(price, {row.input_tokens, row.cached_tokens, row.output_tokens});
}

void Meter::settle(Admission::Ticket ticket, const UsageEvent& event,
                   std::function<void(const absl::Status&)> done) {
  auto row = to_ledger_row(event, ticket.price(), admission_.clock().unix_millis());
  const auto amount = row.amount_pico;
  const auto lease = ticket.lease();
  // Shared since std::function copies; it has one owner.
  auto held = std::make_shared<Admission::Ticket>(std::move(ticket));
  auto committed = [this, held, tokens = event.tokens, amount,
                    done = std::move(done)](const absl::Status& status) {
    if (status.ok()) {
      admission_.settle(std::move(*held), tokens, amount);
    } else {
      admission_.abandon(std::move(*held));
    }
    done(status);
  };
  ledger_.append(std::move(row), std::move(committed), lease);
}

}  // namespace plinth::governance
