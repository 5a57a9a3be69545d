#include "worker/confinement/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "base/file.h"

namespace plinth::worker {

namespace {

constexpr std::uint64_t kTruncate = 1u << 14;  // in no header before Linux 6.2

// What changes files, as far as version `abi` of Landlock knows it.
std::uint64_t changes(int abi) {
  std::uint64_t rights = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                         LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                         LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                         LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                         LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
  if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) rights |= kTruncate;
  return rights;
}

// glibc has no functions for these.
int version() {
  return static_cast<int>(
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
}

absl::Status failed(const char* what) { return base::errno_status(errno, what); }

}  // namespace

absl::Status confine_writes(const std::string& folder) {
  const int abi = version();
  if (abi < 1) return absl::OkStatus();
  landlock_ruleset_attr all{};
  all.handled_access_fs = changes(abi);
  const base::UniqueFd rules(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0)));
  if (!rules.valid()) return failed("[sandbox] Landlock");
  const base::UniqueFd root(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return failed(folder.c_str());
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = all.handled_access_fs;
  beneath.parent_fd = root.get();
  if (::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0) {
    return failed("[sandbox] Landlock");
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("[sandbox] Landlock");
  if (::syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0) {
    return failed("[sandbox] Landlock");
  }
  return absl::OkStatus();
}

}  // namespace plinth::worker
