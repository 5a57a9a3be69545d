#include "worker/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/landlock.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <string>

#include "base/file.h"

namespace plinth::worker {
namespace {

// The sandbox cannot be left, so each check runs in a child of its own; the child's exit code is
// the check's verdict.
int in_sandbox(const std::function<bool()>& check, const std::string& folder = "") {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!(folder.empty() ? enter_sandbox() : enter_sandbox_of(folder)).ok()) ::_exit(2);
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

class WritingSandbox : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "sandbox_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    ASSERT_TRUE(base::make_folders(root_ + "/job").ok());
    ASSERT_TRUE(base::write_file_atomic(root_ + "/other", "other").ok());
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string root_;
};

TEST_F(WritingSandbox, MakesRenamesAndRemovesFilesOfItsFolder) {
  const std::string folder = root_ + "/job";
  EXPECT_EQ(in_sandbox(
                [&] {
                  return base::make_folders(folder + "/epochs/1").ok() &&
                         base::write_file_atomic(folder + "/epochs/1/a", "one").ok() &&
                         base::write_file_atomic(folder + "/epochs/1/a", "two").ok() &&
                         ::rename((folder + "/epochs/1").c_str(), (folder + "/2").c_str()) == 0;
                },
                folder),
            0);
  EXPECT_EQ(*base::read_file(folder + "/2/a", 16), "two");
  EXPECT_EQ(in_sandbox([&] { return std::filesystem::remove_all(folder + "/2") == 2; }, folder), 0);
  EXPECT_FALSE(std::filesystem::exists(folder + "/2"));
}

TEST_F(WritingSandbox, ReadsButChangesNothingElsewhere) {
  const std::string folder = root_ + "/job", other = root_ + "/other";
  if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1) {
    GTEST_SKIP() << "this kernel has no Landlock: where a job may write is its user's rights";
  }
  const auto refused = [](int result) { return result < 0 && (errno == EACCES || errno == EXDEV); };
  EXPECT_EQ(in_sandbox([&] { return base::read_file(other, 16).value_or("") == "other"; }, folder),
            0);
  EXPECT_EQ(in_sandbox([&] { return refused(::open(other.c_str(), O_WRONLY)); }, folder), 0);
  EXPECT_EQ(in_sandbox([&] { return refused(::open(other.c_str(), O_RDWR | O_TRUNC)); }, folder),
            0);
  EXPECT_EQ(in_sandbox([&] { return refused(::unlink(other.c_str())); }, folder), 0);
  EXPECT_EQ(in_sandbox([&] { return refused(::mkdir((root_ + "/new").c_str(), 0700)); }, folder),
            0);
  EXPECT_EQ(
      in_sandbox([&] { return refused(::rename(other.c_str(), (folder + "/x").c_str())); }, folder),
      0);
  EXPECT_EQ(*base::read_file(other, 16), "other");
}

TEST_F(WritingSandbox, HasNoNetworkProgramsOrProcesses) {
  const std::string folder = root_ + "/job";
  EXPECT_EQ(
      in_sandbox([] { return ::socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM; }, folder),
      0);
  EXPECT_EQ(in_sandbox([] { return ::fork() < 0; }, folder), 0);
  EXPECT_EQ(in_sandbox(
                [] {
                  ::execl("/bin/true", "true", static_cast<char*>(nullptr));
                  return errno == EPERM;
                },
                folder),
            0);
}

TEST_F(WritingSandbox, IsNotEnteredWithoutItsFolder) {
  EXPECT_EQ(in_sandbox([] { return true; }, root_ + "/nowhere"), 2);
}

}  // namespace
}  // namespace plinth::worker
