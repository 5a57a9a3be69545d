// The order of the middleware: what happens to every request before its endpoint sees it.
#pragma once

#include <string_view>
#include <vector>

#include "api/cors.h"
#include "api/exchange.h"
#include "api/routes.h"
#include "governance/network.h"

namespace plinth::api {

struct PipelineOptions {
  // No answer takes longer: a small machine needs minutes for thousands of tokens, and whoever
  // waits longer than this has long given up.
  base::Duration request_max = std::chrono::minutes(30);
  CorsOptions cors;
  // Whose X-Forwarded-For is believed.
  std::vector<governance::Network> trusted_proxies;
};

// Called by the HTTP server for each request.
void run_pipeline(Services& services, const PipelineOptions& options, net::HttpRequest request,
                  net::HttpReplyPtr reply);

// What the HTTP server answers where it refuses a request itself, in the same form.
net::HttpAnswer refusal_answer(const base::Clock& clock, int status, std::string_view reason);

}  // namespace plinth::api
