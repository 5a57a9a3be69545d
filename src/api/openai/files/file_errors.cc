#include "api/openai/files/file_errors.h"

#include "api/error_map.h"
#include "api/openai/project_errors.h"
#include "governance/refusal.h"
#include "protocol/generate.h"

namespace plinth::api {

absl::Status file_error(const absl::Status& status, std::string_view param) {
  // It says more than the caller does.
  if (status.GetPayload(protocol::kParamPayload)) return status;
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return parameter_error(base::message(status), param, "invalid_value");
    case absl::StatusCode::kResourceExhausted:
      if (governance::refusal_of(status)) return status;
      return parameter_error(base::message(status), param, "storage_limit_exceeded");
    default:
      return error_at(status, param);
  }
}

void run_on_files(const ExchangePtr& exchange, std::function<void()> work, WorkQueue::Lane lane) {
  const auto status = check_has_project(*exchange, "Files");
  if (!status.ok()) return exchange->refuse(status);
  auto* queue = exchange->services().files;
  if (queue == nullptr) return work();
  if (const auto queued = queue->add(std::move(work), lane); !queued.ok()) exchange->refuse(queued);
}

}  // namespace plinth::api
