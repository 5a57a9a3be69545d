// What a caller has left, in the headers of every answer that was counted, and what a refusal says
// about trying again.
#pragma once

#include <string>

#include "api/exchange.h"
#include "base/clock.h"
#include "base/status.h"
#include "governance/admission.h"
#include "net/http_server.h"

namespace plinth::api {

// "20ms", "1.5s", "6m0s", "1h2m3s": durations as OpenAI writes them.
std::string format_reset(base::Duration duration);

// x-ratelimit-{limit,remaining,reset}-{requests,tokens}; Azure's resets are whole seconds.
net::HttpHeaders rate_headers(const governance::RateView& view, Dialect dialect);

// Of a refused limit: retry-after and retry-after-ms, or x-should-retry where a retry cannot help.
net::HttpHeaders retry_headers(const absl::Status& status);

}  // namespace plinth::api
