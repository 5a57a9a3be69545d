#include "net/rpc_link.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <future>
#include <thread>

namespace plinth::net {
namespace {

class RpcLinkTest : public ::testing::Test {
 protected:
  std::string path() const { return ::testing::TempDir() + "rpc_link_test.sock"; }
};

TEST_F(RpcLinkTest, CarriesFramesBothWays) {
  const auto server = RpcServer::listen(path(), {}, [](RpcLink& link) {
    while (auto frame = link.receive()) {
      if (!link.send(*frame + *frame).ok()) return;
    }
  });
  ASSERT_TRUE(server.ok()) << server.status();
  struct stat info {};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
  auto link = dial_rpc(path(), {});
  ASSERT_TRUE(link.ok()) << link.status();
  for (const std::size_t size : {0u, 1u, 100'000u, 5'000'000u}) {
    const std::string frame(size, '\0');
    ASSERT_TRUE((*link)->send(frame).ok());
    EXPECT_EQ((*link)->receive(), frame + frame);
  }
}

TEST_F(RpcLinkTest, BothSidesSeeTheOtherGo) {
  std::promise<bool> ended;
  auto server = RpcServer::listen(path(), {}, [&](RpcLink& link) {
    if (link.receive() == "leave") return;
    ended.set_value(!link.receive().has_value());
  });
  ASSERT_TRUE(server.ok());
  auto first = *dial_rpc(path(), {});
  ASSERT_TRUE(first->send("leave").ok());
  EXPECT_FALSE(first->receive().has_value());
  EXPECT_FALSE(first->send("late").ok() && first->send("later").ok());
  auto second = *dial_rpc(path(), {});
  ASSERT_TRUE(second->send("stay").ok());
  second.reset();
  EXPECT_TRUE(ended.get_future().get());
}

TEST_F(RpcLinkTest, CloseWakesAReceiver) {
  auto server = RpcServer::listen(path(), {}, [](RpcLink& link) { (void)link.receive(); });
  auto link = *dial_rpc(path(), {});
  std::thread closer([&] { link->close(); });
  EXPECT_FALSE(link->receive().has_value());
  closer.join();
}

// More than a socket holds, to a peer that reads later: nobody waits, and nothing is lost or moved.
TEST_F(RpcLinkTest, SendingNeverWaits) {
  std::promise<void> read;
  constexpr int kFrames = 300;
  std::promise<int> in_order;
  auto server = RpcServer::listen(path(), {}, [&](RpcLink& link) {
    read.get_future().wait();
    int count = 0;
    for (; count < kFrames; ++count) {
      const auto frame = link.receive();
      if (!frame || *frame != std::string(20'000, static_cast<char>('a' + count % 26))) break;
    }
    in_order.set_value(count);
  });
  auto link = *dial_rpc(path(), {});
  for (int i = 0; i < kFrames; ++i)
    ASSERT_TRUE(link->send(std::string(20'000, static_cast<char>('a' + i % 26))).ok());
  read.set_value();
  EXPECT_EQ(in_order.get_future().get(), kFrames);
}

TEST_F(RpcLinkTest, APeerThatTakesNothingIsLost) {
  std::promise<void> over;
  auto server = RpcServer::listen(path(), {}, [&](RpcLink&) { over.get_future().wait(); });
  RpcOptions small;
  small.unsent_bytes_max = 3'000'000;
  auto link = *dial_rpc(path(), small);
  const std::string frame(1'000'000, 'x');
  int sent = 0;
  while (sent < 100 && link->send(frame).ok()) ++sent;
  EXPECT_GE(sent, 3);
  EXPECT_LT(sent, 10);  // what a socket holds is less than a few frames
  EXPECT_FALSE(link->receive().has_value());
  over.set_value();
}

TEST_F(RpcLinkTest, RefusesLongFramesAndAbsentPeers) {
  RpcOptions small;
  small.frame_bytes_max = 1000;
  auto server = RpcServer::listen(path(), small, [](RpcLink& link) {
    while (link.receive()) {
    }
  });
  auto link = *dial_rpc(path(), {});
  ASSERT_TRUE(link->send(std::string(5000, 'x')).ok());
  EXPECT_FALSE(link->receive().has_value());
  RpcOptions hasty;
  hasty.dial_max = std::chrono::milliseconds(50);
  EXPECT_TRUE(absl::IsUnavailable(dial_rpc(path() + ".absent", hasty).status()));
  EXPECT_FALSE(RpcServer::listen(std::string(200, 'x'), {}, [](RpcLink&) {}).ok());
}

}  // namespace
}  // namespace plinth::net
