#include "base/core_dumps.h"

#include <sys/resource.h>

#include <cerrno>

namespace plinth::base {

absl::Status forbid_core_dumps() {
  // A limit of 0 keeps files away and still feeds a core_pattern that is a pipe. One of 1 byte is
  // less than any dump has and is what the kernel takes as "not even into a pipe" (fs/coredump.c).
  const rlimit limit{1, 1};
  if (::setrlimit(RLIMIT_CORE, &limit) == 0) return absl::OkStatus();
  // Where the limit was 0 already and may not be raised.
  if (errno == EPERM) return absl::OkStatus();
  return errno_status(errno, "[core dumps] setrlimit");
}

}  // namespace plinth::base
