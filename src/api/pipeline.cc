#include "api/pipeline.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/cord.h"
#include "api/audit_trail.h"
#include "api/authorize.h"
#include "api/azure/dialect.h"
#include "api/error_map.h"
#include "api/query.h"
#include "api/request_metrics.h"

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

// The key of a request: a bearer's, or Azure's own header on Azure's paths. "" where there is none.
std::string_view key_of(const Exchange& exchange) {
  if (exchange.dialect == Dialect::azure) {
    const auto key = exchange.request().header("api-key");
    if (!key.empty()) return key;
  }
  constexpr std::string_view kBearer = "bearer ";
  const std::string_view header = exchange.request().header("authorization");
  const auto same = [](char a, char b) { return (a | 0x20) == b; };
  const bool bearer = header.size() > kBearer.size() &&
                      std::equal(kBearer.begin(), kBearer.end() - 1, header.begin(),
                                 [&](char b, char a) { return same(a, b); });
  return bearer ? header.substr(kBearer.size()) : std::string_view();
}

absl::Status authenticate(Exchange& exchange) {
  const auto key = key_of(exchange);
  if (key.empty()) {
    return absl::UnauthenticatedError(
        "You didn't provide an API key. You need to provide your API key in an Authorization "
        "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).");
  }
  auto principal = exchange.services().governance.keys().authenticate(key, exchange.request().peer);
  if (absl::IsUnauthenticated(principal.status())) {
    absl::Status status = absl::UnauthenticatedError(
        base::to_absl(fmt::format("Incorrect API key provided: {}.", governance::mask_key(key))));
    status.SetPayload(protocol::kCodePayload, absl::Cord("invalid_api_key"));
    return status;
  }
  // The key is right, and is named on record.
  if (absl::IsPermissionDenied(principal.status()))
    exchange.principal.key_id = governance::key_id(key);
  RETURN_IF_ERROR(principal.status());
  exchange.principal = *std::move(principal);
  return absl::OkStatus();
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

}  // namespace

void run_pipeline(Services& services, const PipelineOptions& options, net::HttpRequest request,
                  net::HttpReplyPtr reply) {
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
  const bool azure = exchange->dialect == Dialect::azure;
  const bool open = match.route != nullptr
                        ? match.route->needs.open()
                        : !azure && !exchange->request().path.starts_with("/v1/");
  if (!open) {
    if (const auto status = authenticate(*exchange); !status.ok()) return exchange->refuse(status);
  }
  // Then what the key may do, which no endpoint is trusted to ask.
  if (match.route != nullptr) {
    const auto status = authorize(exchange->principal, *match.route, match.parameters);
    if (!status.ok()) return exchange->refuse(status);
  }
  // The route last: what it needs is known to be there.
  if (match.route == nullptr) return refuse_unrouted(exchange, match.allow);
  if (const auto status = azure ? check_api_version(exchange->request()) : absl::OkStatus();
      !status.ok()) {
    return exchange->refuse(status);
  }
  // No database has what is no text.
  if (!std::all_of(match.parameters.begin(), match.parameters.end(), is_text))
    return exchange->refuse(unknown_url(exchange->request()));
  if (!match.route->audit.event.empty()) return run_on_record(exchange, *match.route);
  match.route->endpoint(exchange);
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
