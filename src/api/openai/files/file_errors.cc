#include "api/openai/files/file_errors.h"

#include "absl/strings/cord.h"
#include "api/error_map.h"
#include "governance/refusal.h"
#include "protocol/generate.h"

namespace plinth::api {

absl::Status file_error(const absl::Status& status, std::string_view param) {
  // It says more than the caller does.
  if (status.GetPayload(protocol::kParamPayload)) return status;
  switch (status.code()) {
    case absl::StatusCode::kNotFound: {
      auto named = status;
      named.SetPayload(protocol::kParamPayload, absl::Cord(base::to_absl(param)));
      return named;
    }
    case absl::StatusCode::kInvalidArgument:
      return parameter_error(base::message(status), param, "invalid_value");
    case absl::StatusCode::kResourceExhausted:
      if (governance::refusal_of(status)) return status;
      return parameter_error(base::message(status), param, "storage_limit_exceeded");
    // Neither the state of a project nor that of an upload is the server's trouble.
    case absl::StatusCode::kFailedPrecondition:
      return base::invalid_argument(base::message(status));
    default:
      return status;
  }
}

absl::Status check_has_project(const Exchange& exchange) {
  if (!exchange.principal.project.empty()) return absl::OkStatus();
  return absl::PermissionDeniedError("Files belong to a project: use a key of one.");
}

void run_on_files(const ExchangePtr& exchange, std::function<void()> work, WorkQueue::Lane lane) {
  const auto status = check_has_project(*exchange);
  if (!status.ok()) return exchange->refuse(status);
  auto* queue = exchange->services().files;
  if (queue == nullptr) return work();
  if (const auto queued = queue->add(std::move(work), lane); !queued.ok()) exchange->refuse(queued);
}

}  // namespace plinth::api
