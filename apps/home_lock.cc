#include "apps/home_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

namespace plinth {

absl::StatusOr<base::UniqueFd> lock_home(const std::string& home) {
  RETURN_IF_ERROR(base::make_folders(home));
  const std::string path = home + "/lock";
  base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) return base::errno_status(errno, path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    const auto holder = base::read_file(path, 64);
    return base::failed_precondition(
        fmt::format("{} is in use by process {}", home, holder.ok() ? *holder : "?"));
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
    return base::errno_status(errno, path);
  }
  return fd;
}

}  // namespace plinth
