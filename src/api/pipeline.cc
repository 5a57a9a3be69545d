#include "api/pipeline.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/cord.h"
#include "api/audit_trail.h"
#include "api/auth/authenticate.h"
#include "api/auth/client_certificate.h"
#include "api/authorize.h"
#include "api/azure/dialect.h"
#include "api/client_address.h"
#include "api/error_map.h"
#include "api/query.h"
#include "api/request_metrics.h"
#include "protocol/generate.h"

namespace plinth::api {

namespace {

void add_identity(Exchange& exchange) {
  exchange.headers.emplace_back("x-request-id", exchange.id());
  if (exchange.dialect == Dialect::azure) {
    for (auto& header : azure_headers(exchange)) exchange.headers.push_back(std::move(header));
    return;
  }
  exchange.headers.emplace_back("openai-version", "2020-10-01");
}

void add_cors(Exchange& exchange, const CorsOptions& cors) {
  for (auto& header : cors_headers(cors, exchange.request()))
    exchange.headers.push_back(std::move(header));
}

void record(const Exchange& exchange, int status) {
  count_request(exchange.services().metrics, exchange.endpoint, status,
                exchange.services().clock.now() - exchange.started());
}

void answer_preflight(const ExchangePtr& exchange, const std::string& methods) {
  for (auto& header : preflight_headers(exchange->request(), methods))
    exchange->headers.push_back(std::move(header));
  exchange->send(204, "", "");
}

absl::Status unknown_url(const net::HttpRequest& request) {
  return base::not_found(fmt::format("Invalid URL ({} {})", request.method, request.path));
}

void refuse_stranger(const ExchangePtr& exchange, const absl::Status& status) {
  // RFC 6750, section 3.
  if (status.GetPayload(protocol::kCodePayload) == absl::Cord(kInvalidToken))
    exchange->set_headers({{"www-authenticate", "Bearer error=\"invalid_token\""}});
  exchange->refuse(status);
}

// Sends the answer where there is no endpoint for this method and path.
void refuse_unrouted(const ExchangePtr& exchange, const std::string& allow) {
  const auto& request = exchange->request();
  if (allow.empty()) return exchange->refuse(unknown_url(request));
  exchange->headers.emplace_back("allow", allow);
  const auto error =
      base::invalid_argument(fmt::format("Not allowed to {} on {}.", request.method, request.path));
  exchange->send(405, "application/json", base::to_json(error_object(error)) + "\n");
}

void run(const ExchangePtr& exchange, const Route& route) {
  if (!route.audit.event.empty()) return run_on_record(exchange, route);
  route.endpoint(exchange);
}

// What takes its time goes before the act, and not on the connection's thread.
void prepare(const ExchangePtr& exchange, const Route& route) {
  const auto work = [exchange, &route] {
    const auto status = route.prepare(*exchange);
    if (!status.ok()) return exchange->refuse(status);
    run(exchange, route);
  };
  auto* slow = exchange->services().slow;
  if (slow == nullptr) return work();
  if (const auto queued = slow->add(work); !queued.ok()) exchange->refuse(queued);
}

// What follows once it is known who asks. `route` is null where there is none.
void serve(const ExchangePtr& exchange, const Route* route, const std::string& allow) {
  // What the caller may do, which no endpoint is trusted to ask.
  if (route != nullptr) {
    auto status = check_project(*exchange, *route);
    if (status.ok()) status = authorize(exchange->principal, *route, exchange->parameters);
    if (!status.ok()) return exchange->refuse(status);
  }
  // The route last: what it needs is known to be there.
  if (route == nullptr) return refuse_unrouted(exchange, allow);
  if (exchange->dialect == Dialect::azure) {
    const auto status = check_api_version(exchange->request());
    if (!status.ok()) return exchange->refuse(status);
  }
  // No database has what is no text.
  if (!std::all_of(exchange->parameters.begin(), exchange->parameters.end(), is_text))
    return exchange->refuse(unknown_url(exchange->request()));
  if (route->prepare != nullptr) return prepare(exchange, *route);
  run(exchange, *route);
}

}  // namespace

void run_pipeline(Services& services, const PipelineOptions& options, net::HttpRequest request,
                  net::HttpReplyPtr reply) {
  if (!options.trusted_proxies.empty()) {
    request.peer =
        client_address(request.peer, request.header("x-forwarded-for"), options.trusted_proxies);
  }
  const auto exchange = std::make_shared<Exchange>(services, std::move(request), std::move(reply));
  const auto match = find_route(routes(), exchange->request().method, exchange->request().path);
  exchange->parameters = match.parameters;
  // Paths come from clients: only patterns become labels, or they could fill the memory.
  exchange->endpoint = match.route == nullptr ? "other" : match.route->pattern;
  exchange->dialect = dialect_of(exchange->request().path);

  // The id first, so that every answer carries it, refusals too.
  add_identity(*exchange);
  // Then the clock and the count, so that refusals are bounded and counted as well.
  exchange->watch(options.request_max, record);
  // Before the key: browsers ask without one, and a page must be able to read refusals.
  add_cors(*exchange, options.cors);
  if (!options.cors.origins.empty() && is_preflight(exchange->request()))
    return answer_preflight(exchange, match.allow);
  // The key before anything that costs work, and before 404s of /v1 tell a stranger anything.
  const bool open = match.route != nullptr ? match.route->needs.open()
                                           : exchange->dialect != Dialect::azure &&
                                                 !exchange->request().path.starts_with("/v1/");
  if (open) return serve(exchange, match.route, match.allow);
  authenticate(exchange,
               [exchange, route = match.route, allow = match.allow](const absl::Status& status) {
                 if (!status.ok()) return refuse_stranger(exchange, status);
                 // Then what that somebody has to bring along.
                 const auto brought = check_client_certificate(*exchange);
                 if (!brought.ok()) return refuse_stranger(exchange, brought);
                 serve(exchange, route, allow);
               });
}

net::HttpAnswer refusal_answer(const base::Clock& clock, int status, std::string_view reason) {
  net::HttpAnswer answer;
  answer.headers = {{"x-request-id", next_id(clock, "req_")}, {"content-type", "application/json"}};
  if (status == 503) answer.headers.emplace_back("retry-after", "1");
  const auto error = status >= 500 ? base::unavailable(reason) : base::invalid_argument(reason);
  answer.body = base::to_json(error_object(error)) + "\n";
  return answer;
}

}  // namespace plinth::api
