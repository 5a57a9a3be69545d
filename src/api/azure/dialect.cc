#include "api/azure/dialect.h"

#include <algorithm>

#include "absl/strings/cord.h"
#include "api/error_map.h"
#include "api/query.h"
#include "protocol/generate.h"

namespace plinth::api {

namespace {

constexpr std::string_view kDeployments = "/openai/deployments/";
constexpr std::string_view kManagement = "/subscriptions/";

// Azure Resource Manager's words.
std::string_view management_code(int status) {
  switch (status) {
    case 400:
      return "InvalidResourceProperties";
    case 401:
      return "InvalidAuthenticationToken";
    case 403:
      return "AuthorizationFailed";
    case 404:
      return "ResourceNotFound";
    case 429:
      return "TooManyRequests";
    case 503:
      return "ServiceUnavailable";
    default:
      return "InternalServerError";
  }
}

// "2024-10-21", "2025-01-01-preview"
bool is_api_version(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-dd";
  constexpr std::string_view kPreview = "-preview";
  if (text.size() < kForm.size()) return false;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kForm[i] == 'd' ? !digit : text[i] != '-') return false;
  }
  const auto rest = text.substr(kForm.size());
  return rest.empty() || rest == kPreview;
}

std::string_view query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.substr(0, pair.find('=')) == name)
      return pair.substr(std::min(pair.size(), name.size() + 1));
  }
  return {};
}

}  // namespace

Dialect dialect_of(std::string_view path) {
  const bool azure = path.starts_with("/openai/") || path.starts_with(kManagement);
  return azure ? Dialect::azure : Dialect::openai;
}

base::json::object azure_error_object(const absl::Status& status, std::string_view path) {
  const int code = http_status(status);
  const auto plain = [](std::string_view name, std::string_view message) {
    return base::json::object{{"error", {{"code", name}, {"message", message}}}};
  };
  if (path.starts_with(kManagement)) return plain(management_code(code), base::message(status));
  if (code == 401) {
    return plain(
        "401",
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to "
        "provide a valid key for an active subscription and use a correct regional API "
        "endpoint for your resource.");
  }
  if (code == 404) {
    const auto named = status.GetPayload(protocol::kCodePayload);
    const bool model = named && *named == "model_not_found";
    if (model) {
      return plain("DeploymentNotFound", "The API deployment for this resource does not exist. " +
                                             std::string(base::message(status)));
    }
    return plain("404", base::message(status));
  }
  if (code == 429) return plain("429", base::message(status));
  return error_object(status);
}

absl::Status check_api_version(const net::HttpRequest& request) {
  const auto version = query_value(request.query, "api-version");
  const bool v1 = request.path.starts_with("/openai/v1/");
  if (v1 && (version.empty() || version == "v1" || version == "preview")) return absl::OkStatus();
  if (is_api_version(version)) return absl::OkStatus();
  return base::not_found(version.empty() ? "Resource not found: the query lacks api-version."
                                         : "Resource not found: there is no such api-version.");
}

ValidateOptions validation_of(const Exchange& exchange) {
  auto options = exchange.services().validation();
  if (exchange.endpoint.starts_with(kDeployments)) options.model = exchange.parameter(0);
  return options;
}

net::HttpHeaders azure_headers(const Exchange& exchange) {
  // Where the machines are is the owner's own matter, and clients log what they are told.
  return {{"apim-request-id", exchange.id()}, {"x-ms-region", "Plinth"}};
}

}  // namespace plinth::api
