#include "base/status.h"

#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace plinth::base {

absl::Status annotate(const absl::Status& status, std::string_view prefix) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(to_absl(prefix), ": ", status.message()));
}

absl::Status errno_status(int error, std::string_view operation) {
  const std::string text =
      absl::StrCat(to_absl(operation), ": ", std::generic_category().message(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(text);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(text);
    case EEXIST:
      return absl::AlreadyExistsError(text);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::ResourceExhaustedError(text);
    case EINVAL:
    case ENAMETOOLONG:
      return absl::InvalidArgumentError(text);
    default:
      return absl::UnavailableError(text);
  }
}

}  // namespace plinth::base
