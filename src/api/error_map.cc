#include "api/error_map.h"

#include "absl/strings/cord.h"
#include "governance/refusal.h"
#include "protocol/generate.h"

namespace plinth::api {

int http_status(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kResourceExhausted:
      return governance::refusal_of(status) ? 429 : 503;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kFailedPrecondition:  // a model that cannot be loaded
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

namespace {

void name_refusal(governance::RefusalKind kind, base::json::object& error) {
  using governance::RefusalKind;
  const bool budget = kind == RefusalKind::budget;
  error["type"] = budget                          ? "insufficient_quota"
                  : kind == RefusalKind::requests ? "requests"
                                                  : "tokens";
  error["code"] = budget ? "insufficient_quota" : "rate_limit_exceeded";
}

}  // namespace

base::json::object error_object(const absl::Status& status) {
  const auto payload = [&](const char* key) -> base::json::value {
    const auto value = status.GetPayload(key);
    if (!value.has_value()) return nullptr;
    return base::json::string(std::string(*value));
  };
  const int code = http_status(status);
  base::json::object error;
  error["message"] = std::string(base::message(status));
  error["type"] = code >= 500 ? "server_error" : "invalid_request_error";
  error["param"] = payload(protocol::kParamPayload);
  error["code"] = payload(protocol::kCodePayload);
  if (const auto refusal = governance::refusal_of(status)) name_refusal(refusal->kind, error);
  return {{"error", std::move(error)}};
}

absl::Status parameter_error(std::string_view text, std::string_view param, std::string_view code) {
  absl::Status status = base::invalid_argument(text);
  status.SetPayload(protocol::kParamPayload, absl::Cord(base::to_absl(param)));
  if (!code.empty()) status.SetPayload(protocol::kCodePayload, absl::Cord(base::to_absl(code)));
  return status;
}

}  // namespace plinth::api
