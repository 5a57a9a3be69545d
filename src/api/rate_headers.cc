#include "api/rate_headers.h"

#include <fmt/format.h>

#include "governance/refusal.h"

namespace plinth::api {

namespace {

using std::chrono::ceil;
using std::chrono::milliseconds;
using std::chrono::seconds;

void add(net::HttpHeaders& headers, const char* what, const governance::RateView::Rate& rate,
         Dialect dialect) {
  headers.emplace_back(fmt::format("x-ratelimit-limit-{}", what), std::to_string(rate.limit));
  headers.emplace_back(fmt::format("x-ratelimit-remaining-{}", what),
                       std::to_string(rate.remaining));
  headers.emplace_back(fmt::format("x-ratelimit-reset-{}", what),
                       dialect == Dialect::azure ? std::to_string(ceil<seconds>(rate.reset).count())
                                                 : format_reset(rate.reset));
}

}  // namespace

std::string format_reset(base::Duration duration) {
  const auto ms = ceil<milliseconds>(duration).count();
  if (ms > 0 && ms < 1000) return fmt::format("{}ms", ms);
  const auto minutes = ms / 60'000;
  std::string rest = fmt::format("{:.3f}", static_cast<double>(ms % 60'000) / 1000);
  rest.erase(rest.find_last_not_of('0') + 1);
  if (rest.back() == '.') rest.pop_back();
  if (minutes == 0) return rest + "s";
  if (minutes < 60) return fmt::format("{}m{}s", minutes, rest);
  return fmt::format("{}h{}m{}s", minutes / 60, minutes % 60, rest);
}

net::HttpHeaders rate_headers(const governance::RateView& view, Dialect dialect) {
  net::HttpHeaders headers;
  if (view.requests) add(headers, "requests", *view.requests, dialect);
  if (view.tokens) add(headers, "tokens", *view.tokens, dialect);
  return headers;
}

net::HttpHeaders retry_headers(const absl::Status& status) {
  const auto refusal = governance::refusal_of(status);
  if (!refusal) return {};
  if (!refusal->retry_after) return {{"x-should-retry", "false"}};
  // Clients sleep so long before they ask again: never less than needed.
  return {{"retry-after", std::to_string(ceil<seconds>(*refusal->retry_after).count())},
          {"retry-after-ms", std::to_string(ceil<milliseconds>(*refusal->retry_after).count())}};
}

}  // namespace plinth::api
