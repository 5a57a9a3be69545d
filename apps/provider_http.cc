#include "apps/provider_http.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/service_connection.h"
#include "base/log.h"
#include "governance/sign_in_limits.h"
#include "net/http_client.h"

namespace plinth {

namespace {

// Providers answer within a second; a thread of sign-in waits so long.
constexpr std::chrono::seconds kConnectMax{5}, kAnswerMax{10};

constexpr std::size_t kBytesMax = std::max(
    {governance::kJwksBytesMax, governance::kDiscoveryBytesMax, governance::kTokenAnswerBytesMax});

std::unique_ptr<net::HttpClient> client_for(const std::string& url) {
  net::HttpClientOptions options;
  options.connect_max = kConnectMax;
  options.total_max = kAnswerMax;
  options.proxies = !is_this_machine(url);
  options.redirects = false;
  return net::make_http_client(options);
}

net::BodySink into(std::string& body) {
  return [&body](std::string_view piece) {
    body.append(piece);
    return body.size() <= kBytesMax;
  };
}

}  // namespace

governance::Fetch provider_fetch() {
  return [](const std::string& url) -> absl::StatusOr<std::string> {
    std::string body;
    const auto answer = client_for(url)->fetch(url, {"Accept: application/json"}, into(body));
    if (answer.ok() && answer->status == 200) return body;
    const auto status = answer.ok()
                            ? base::unavailable(fmt::format("{}: HTTP {}", url, answer->status))
                            : answer.status();
    // Seldom, as it is asked again twice a minute at most.
    LOG(warn, "the identity provider cannot be asked: {}", base::message(status));
    return status;
  };
}

governance::Post provider_post() {
  return [](const governance::FormPost& form) -> absl::StatusOr<governance::PostAnswer> {
    std::vector<std::string> headers{"Content-Type: application/x-www-form-urlencoded",
                                     "Accept: application/json"};
    if (!form.authorization.empty()) headers.push_back("Authorization: " + form.authorization);
    governance::PostAnswer answer;
    ASSIGN_OR_RETURN(const auto got,
                     client_for(form.url)->post(form.url, headers, form.body, into(answer.body)));
    answer.status = static_cast<int>(got.status);
    return answer;
  };
}

}  // namespace plinth
