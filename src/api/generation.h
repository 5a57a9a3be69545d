// Runs the calls of one answer: events in, bytes out, never blocking.
#pragma once

#include <memory>
#include <vector>

#include "api/answer.h"
#include "api/exchange.h"
#include "api/target.h"

namespace plinth::api {

// Starts a call for each of the requests, at least one and all for the target's model, and answers
// the exchange with what `answer` makes of the events, under the target's content policy.
// An error before the first byte is a plain refusal; the first failed call ends them all. A client
// that leaves, or takes nothing, cancels them.
void generate(const ExchangePtr& exchange, Target target,
              std::vector<protocol::GenerateRequest> requests, std::unique_ptr<Answer> answer);

}  // namespace plinth::api
