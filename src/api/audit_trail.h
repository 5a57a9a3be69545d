// What requests leave in the audit log: acts of administration, and refusals.
#pragma once

#include "api/exchange.h"
#include "api/routes.h"

namespace plinth::api {

// Runs the endpoint of a route that is recorded: what it changes and the record of it are there
// together or not at all, and the answer goes out after both. The endpoint answers before it
// returns.
void run_on_record(const ExchangePtr& exchange, const Route& route);

// Counts 401 of a key that was given, and 403.
void record_refusal(const Exchange& exchange, const absl::Status& status);

}  // namespace plinth::api
