#include "worker/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

namespace plinth::worker {
namespace {

// The sandbox cannot be left, so each check runs in a child of its own; the child's exit code is
// the check's verdict.
int in_sandbox(const std::function<bool()>& check) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!enter_sandbox().ok()) ::_exit(2);
    ::_exit(check() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(Sandbox, AllowsReadingMemoryAndTime) {
  EXPECT_EQ(in_sandbox([] {
              const int fd = ::open("/proc/self/maps", O_RDONLY);
              char byte = 0;
              return fd >= 0 && ::read(fd, &byte, 1) == 1 && ::close(fd) == 0 &&
                     ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                            -1, 0) != MAP_FAILED;
            }),
            0);
}

TEST(Sandbox, RefusesNetworkProgramsProcessesAndWriting) {
  EXPECT_EQ(in_sandbox([] { return ::socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM; }), 0);
  EXPECT_EQ(in_sandbox([] { return ::socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM; }), 0);
  EXPECT_EQ(in_sandbox([] {
              ::execl("/bin/true", "true", static_cast<char*>(nullptr));
              return errno == EPERM;
            }),
            0);
  EXPECT_EQ(in_sandbox([] { return ::fork() < 0; }), 0);
  EXPECT_EQ(in_sandbox([] { return ::open("/tmp/plinth-sandbox", O_WRONLY | O_CREAT, 0600) < 0; }),
            0);
  EXPECT_EQ(in_sandbox([] { return ::unlink("/tmp/plinth-sandbox") < 0 && errno == EPERM; }), 0);
  EXPECT_EQ(in_sandbox([] { return ::kill(::getppid(), 0) < 0 && errno == EPERM; }), 0);
}

}  // namespace
}  // namespace plinth::worker
