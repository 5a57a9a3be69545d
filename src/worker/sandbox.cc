#include "worker/sandbox.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>

#include <cerrno>
#include <memory>
#include <span>

#include "worker/confinement/landlock.h"

namespace plinth::worker {

namespace {

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};

// What an open socket, threads, memory and reading files need.
constexpr int kAllowed[] = {SCMP_SYS(read),
                            SCMP_SYS(readv),
                            SCMP_SYS(pread64),
                            SCMP_SYS(write),
                            SCMP_SYS(writev),
                            SCMP_SYS(sendmsg),
                            SCMP_SYS(sendto),
                            SCMP_SYS(recvmsg),
                            SCMP_SYS(recvfrom),
                            SCMP_SYS(poll),
                            SCMP_SYS(ppoll),
                            SCMP_SYS(epoll_create1),
                            SCMP_SYS(epoll_ctl),
                            SCMP_SYS(epoll_wait),
                            SCMP_SYS(epoll_pwait),
                            SCMP_SYS(eventfd2),
                            SCMP_SYS(pipe2),
                            SCMP_SYS(close),
                            SCMP_SYS(shutdown),
                            SCMP_SYS(getsockopt),
                            SCMP_SYS(setsockopt),
                            SCMP_SYS(getsockname),
                            SCMP_SYS(getpeername),
                            SCMP_SYS(fcntl),
                            SCMP_SYS(fstat),
                            SCMP_SYS(newfstatat),
                            SCMP_SYS(statx),
                            SCMP_SYS(stat),
                            SCMP_SYS(lseek),
                            SCMP_SYS(fdatasync),
                            SCMP_SYS(readlink),
                            SCMP_SYS(getdents64),
                            SCMP_SYS(access),
                            SCMP_SYS(mmap),
                            SCMP_SYS(munmap),
                            SCMP_SYS(mprotect),
                            SCMP_SYS(mremap),
                            SCMP_SYS(madvise),
                            SCMP_SYS(brk),
                            SCMP_SYS(futex),
                            SCMP_SYS(set_robust_list),
                            SCMP_SYS(rseq),
                            SCMP_SYS(set_tid_address),
                            SCMP_SYS(membarrier),
                            SCMP_SYS(sched_yield),
                            SCMP_SYS(sched_getaffinity),
                            SCMP_SYS(sched_setaffinity),
                            SCMP_SYS(getcpu),
                            SCMP_SYS(clock_gettime),
                            SCMP_SYS(clock_getres),
                            SCMP_SYS(clock_nanosleep),
                            SCMP_SYS(nanosleep),
                            SCMP_SYS(gettimeofday),
                            SCMP_SYS(getpid),
                            SCMP_SYS(gettid),
                            SCMP_SYS(getuid),
                            SCMP_SYS(geteuid),
                            SCMP_SYS(getrandom),
                            SCMP_SYS(getrusage),
                            SCMP_SYS(sysinfo),
                            SCMP_SYS(uname),
                            SCMP_SYS(rt_sigaction),
                            SCMP_SYS(rt_sigprocmask),
                            SCMP_SYS(rt_sigreturn),
                            SCMP_SYS(sigaltstack),
                            SCMP_SYS(tgkill),
                            SCMP_SYS(restart_syscall),
                            SCMP_SYS(arch_prctl),
                            SCMP_SYS(exit),
                            SCMP_SYS(exit_group)};

// What making files needs beside them.
constexpr int kAllowedToWriters[] = {
    SCMP_SYS(openat),    SCMP_SYS(pwrite64), SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
    SCMP_SYS(fsync),     SCMP_SYS(flock),    SCMP_SYS(mkdir),     SCMP_SYS(mkdirat),
    SCMP_SYS(rename),    SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),  SCMP_SYS(rmdir),    SCMP_SYS(chmod),     SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),  SCMP_SYS(umask),    SCMP_SYS(lstat),     SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2)};

int add_rules(scmp_filter_ctx filter, bool writes) {
  for (const int call : kAllowed) {
    if (const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0)) return error;
  }
  const auto more = writes ? std::span<const int>(kAllowedToWriters) : std::span<const int>();
  for (const int call : more) {
    if (const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0)) return error;
  }
  if (const int error = seccomp_rule_add(
          filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
          SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY))) {
    return error;
  }
  // Threads yes, processes no. clone3 hides its flags from filters: libc falls back to clone.
  if (const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                         SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD))) {
    return error;
  }
  if (const int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0))
    return error;
  // The macro's short form leaves a field out, which clang warns of.
  return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                          SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0));
}

absl::Status load_filter(bool writes) {
  const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (filter == nullptr) return base::unavailable("[sandbox] seccomp cannot be initialised");
  int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  if (error == 0) error = add_rules(filter.get(), writes);
  if (error == 0) error = seccomp_load(filter.get());
  if (error != 0) return base::errno_status(-error, "[sandbox] seccomp");
  return absl::OkStatus();
}

}  // namespace

absl::Status enter_sandbox() { return load_filter(false); }

absl::Status enter_sandbox_of(const std::string& folder) {
  RETURN_IF_ERROR(confine_writes(folder));
  return load_filter(true);
}

}  // namespace plinth::worker
