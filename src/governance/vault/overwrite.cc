#include "governance/vault/overwrite.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/file.h"

namespace plinth::governance {

absl::Status overwrite_and_remove(const std::string& path) {
  const base::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) {
    return errno == ENOENT ? absl::OkStatus() : base::errno_status(errno, path);
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return base::errno_status(errno, path);
  const std::string zeros(64u << 10, '\0');
  for (off_t at = 0; at < info.st_size;) {
    const auto wanted =
        std::min<std::size_t>(zeros.size(), static_cast<std::size_t>(info.st_size - at));
    const auto count = ::pwrite(fd.get(), zeros.data(), wanted, at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return base::errno_status(errno, path);
    at += count;
  }
  if (::fsync(fd.get()) != 0 || ::unlink(path.c_str()) != 0) return base::errno_status(errno, path);
  return base::sync_folder(std::filesystem::path(path).parent_path());
}

}  // namespace plinth::governance
