#include "governance/vault/abandoned.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace plinth::governance {

absl::Status claim_partial(int descriptor) {
  // A file system without locks: age tells then.
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return base::unavailable("[content] a new file was taken for an abandoned one; retry");
  struct stat info {};
  if (::fstat(descriptor, &info) != 0) return base::errno_status(errno, "a file of content");
  if (info.st_nlink == 0)
    return base::unavailable("[content] a new file was taken for an abandoned one; retry");
  return absl::OkStatus();
}

Abandoned remove_abandoned(const std::string& path) {
  const base::UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return Abandoned::unknown;
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    return errno == EWOULDBLOCK ? Abandoned::held : Abandoned::unknown;
  return ::unlink(path.c_str()) == 0 ? Abandoned::removed : Abandoned::unknown;
}

}  // namespace plinth::governance
