#include "net/local_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>

#include "base/file.h"

namespace plinth::net {
namespace {

class LocalSocketTest : public ::testing::Test {
 protected:
  std::string path() const { return ::testing::TempDir() + "local_socket_test.sock"; }
  std::unique_ptr<LocalSocket> listen(const LocalSocketOptions& options = {}) {
    auto made = LocalSocket::listen(path(), options,
                                    [this](const LocalPeer& peer, const std::string& question) {
                                      ++asked_;
                                      uid_ = peer.uid;
                                      return question + question;
                                    });
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }
  static LocalSocketOptions from_user(uid_t uid) {
    LocalSocketOptions options;
    options.peer_of = [uid](int) { return LocalPeer{uid, 1}; };
    return options;
  }
  base::UniqueFd connect() const {
    base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }

  std::atomic<int> asked_{0};
  std::atomic<uid_t> uid_{0};
};

TEST_F(LocalSocketTest, AnswersItsOwnerAndIsNobodyElsesToOpen) {
  auto socket = listen();
  struct stat info {};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
  for (const std::size_t size : {1u, 100u, 8'000u}) {
    const std::string question(size, 'x');
    const auto answer = ask_local_socket(path(), question);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(*answer, question + question);
  }
  EXPECT_EQ(uid_, ::geteuid());
  socket.reset();
  EXPECT_NE(::stat(path().c_str(), &info), 0);
  EXPECT_TRUE(absl::IsUnavailable(ask_local_socket(path(), "x").status()));
}

TEST_F(LocalSocketTest, HangsUpOnOthersWithoutReadingWhatTheySay) {
  const auto socket = listen(from_user(::geteuid() + 1));
  EXPECT_TRUE(absl::IsUnavailable(ask_local_socket(path(), "x").status()));
  EXPECT_EQ(asked_, 0);
}

TEST_F(LocalSocketTest, HangsUpWhereTheKernelDoesNotSayWhoAsks) {
  LocalSocketOptions options;
  options.peer_of = [](int) -> absl::StatusOr<LocalPeer> { return base::internal("no"); };
  const auto socket = listen(options);
  EXPECT_TRUE(absl::IsUnavailable(ask_local_socket(path(), "x").status()));
  EXPECT_EQ(asked_, 0);
}

TEST_F(LocalSocketTest, AnswersRoot) {
  const auto socket = listen(from_user(0));
  EXPECT_EQ(*ask_local_socket(path(), "x"), "xx");
}

TEST_F(LocalSocketTest, BoundsWhatItReads) {
  const auto socket = listen();
  EXPECT_FALSE(ask_local_socket(path(), std::string(1u << 20, 'x')).ok());
  EXPECT_EQ(asked_, 0);
  EXPECT_EQ(*ask_local_socket(path(), "x"), "xx");
}

TEST_F(LocalSocketTest, WhoSaysNothingKeepsNobodyWaitingForLong) {
  LocalSocketOptions options;
  options.time_max = std::chrono::milliseconds(50);
  const auto socket = listen(options);
  const auto silent = connect();
  LocalSocketOptions patient;
  patient.time_max = std::chrono::seconds(60);
  EXPECT_EQ(*ask_local_socket(path(), "x", patient), "xx");
}

TEST_F(LocalSocketTest, EndsAtOnceAlthoughSomebodySaysNothing) {
  LocalSocketOptions options;
  options.time_max = std::chrono::hours(1);
  auto socket = listen(options);
  const auto silent = connect();
  socket.reset();
  EXPECT_EQ(asked_, 0);
}

TEST_F(LocalSocketTest, ReplacesAStaleFile) {
  ASSERT_TRUE(base::write_file_atomic(path(), "stale").ok());
  const auto socket = listen();
  EXPECT_EQ(*ask_local_socket(path(), "x"), "xx");
}

TEST_F(LocalSocketTest, RefusesAPathThatNoSocketCanHave) {
  const auto made = LocalSocket::listen("/tmp/" + std::string(200, 'x'), {},
                                        [](const LocalPeer&, const std::string&) { return ""; });
  EXPECT_TRUE(absl::IsInvalidArgument(made.status()));
}

}  // namespace
}  // namespace plinth::net
