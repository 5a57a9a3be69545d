#include "worker/outbox.h"

#include <gtest/gtest.h>

namespace plinth::worker {
namespace {

class CountingLink final : public net::RpcLink {
 public:
  absl::Status send(const std::string& frame) override {
    auto message = protocol::decode_to_gateway(frame);
    EXPECT_TRUE(message.ok()) << message.status();
    messages.push_back(*std::move(message));
    return absl::OkStatus();
  }
  std::optional<std::string> receive() override { return std::nullopt; }
  void close() override {}

  std::vector<protocol::ToGateway> messages;
};

protocol::Delta delta(std::string text) {
  protocol::Delta made;
  made.text = std::move(text);
  return made;
}

class OutboxTest : public testing::Test {
 protected:
  const protocol::Step& step(std::size_t index) {
    return std::get<protocol::Step>(link_.messages.at(index));
  }
  base::FakeClock clock_;
  CountingLink link_;
  Outbox outbox_{link_};
};

TEST_F(OutboxTest, TheEventsOfAStepAreOneMessage) {
  const auto first = outbox_.sink(1, false, clock_), second = outbox_.sink(2, false, clock_);
  first({delta("a")});
  second({delta("b")});
  first({delta("c")});
  EXPECT_TRUE(link_.messages.empty());
  outbox_.flush();
  outbox_.flush();  // nothing more
  ASSERT_EQ(link_.messages.size(), 1u);
  ASSERT_EQ(step(0).calls.size(), 3u);
  EXPECT_EQ(step(0).calls[0].call, 1u);
  EXPECT_EQ(step(0).calls[1].call, 2u);
  EXPECT_EQ(std::get<protocol::Delta>(step(0).calls[2].events.at(0)).text, "c");
}

// What a call got before stays before.
TEST_F(OutboxTest, OtherEventsTakeAlongWhatWaits) {
  outbox_.sink(1, false, clock_)({delta("a")});
  outbox_.events(1, {protocol::Finished{}});
  ASSERT_EQ(link_.messages.size(), 1u);
  ASSERT_EQ(step(0).calls.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<protocol::Delta>(step(0).calls[0].events.at(0)));
  EXPECT_TRUE(std::holds_alternative<protocol::Finished>(step(0).calls[1].events.at(0)));
}

TEST_F(OutboxTest, GatheredEventsWaitForTheEnd) {
  const auto sink = outbox_.sink(1, true, clock_);
  sink({delta("the first goes at once")});
  outbox_.flush();
  EXPECT_EQ(link_.messages.size(), 1u);
  sink({delta("a")});
  outbox_.flush();
  EXPECT_EQ(link_.messages.size(), 1u);
  sink({protocol::Finished{}});
  outbox_.flush();
  EXPECT_EQ(link_.messages.size(), 2u);
}

}  // namespace
}  // namespace plinth::worker
