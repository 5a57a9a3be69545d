#include "api/openai/project_errors.h"

#include <fmt/format.h>

#include "absl/strings/cord.h"
#include "protocol/generate.h"

namespace plinth::api {

absl::Status check_has_project(const Exchange& exchange, std::string_view things) {
  if (!exchange.principal.project.empty()) return absl::OkStatus();
  return absl::PermissionDeniedError(
      base::to_absl(fmt::format("{} belong to a project: use a key of one.", things)));
}

absl::Status error_at(const absl::Status& status, std::string_view param) {
  if (absl::IsFailedPrecondition(status)) return base::invalid_argument(base::message(status));
  if (!absl::IsNotFound(status)) return status;
  auto named = status;
  named.SetPayload(protocol::kParamPayload, absl::Cord(base::to_absl(param)));
  return named;
}

}  // namespace plinth::api
