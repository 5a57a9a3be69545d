#include "worker/gathered_events.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace plinth::worker {
namespace {

using protocol::Admitted;
using protocol::ChoiceEnd;
using protocol::Delta;
using protocol::Finished;
using protocol::GenerateEvent;

Delta delta(const std::string& text, std::int32_t index = 0, std::int64_t device_us = 0) {
  Delta delta;
  delta.index = index;
  delta.text = text;
  delta.tokens = 1;
  delta.logprobs.resize(1);
  delta.logprobs[0].chosen.bytes = text;
  delta.device_us = device_us;
  return delta;
}

class GatheredEventsTest : public testing::Test {
 protected:
  base::FakeClock clock_;
  GatheredEvents gathered_{clock_};
};

TEST_F(GatheredEventsTest, TheBeginningAndTheFirstTokenGoAtOnce) {
  EXPECT_EQ(gathered_.add({Admitted{5, 0, "fp"}}).size(), 1u);
  EXPECT_EQ(gathered_.add({delta("a")}).size(), 1u);
  EXPECT_TRUE(gathered_.add({delta("b")}).empty());
}

TEST_F(GatheredEventsTest, TheRestComesAsOneWithTheEnd) {
  gathered_.add({Admitted{}, delta("a")});
  EXPECT_TRUE(gathered_.add({delta("b", 0, 10)}).empty());
  EXPECT_TRUE(gathered_.add({delta("c", 0, 30), delta("d", 0, 0)}).empty());
  EXPECT_TRUE(gathered_.add({ChoiceEnd{0, protocol::FinishReason::length, ""}}).empty());
  const auto events = gathered_.add({Finished{absl::OkStatus(), {}}});
  ASSERT_EQ(events.size(), 3u);
  const auto& text = std::get<Delta>(events[0]);
  EXPECT_EQ(text.text, "bcd");
  EXPECT_EQ(text.tokens, 3);
  EXPECT_EQ(text.device_us, 30) << "the last that was said";
  ASSERT_EQ(text.logprobs.size(), 3u);
  EXPECT_EQ(text.logprobs[2].chosen.bytes, "d");
  EXPECT_TRUE(std::holds_alternative<ChoiceEnd>(events[1]));
}

TEST_F(GatheredEventsTest, ChoicesKeepTheirOrder) {
  gathered_.add({delta("x")});
  gathered_.add({delta("a", 0), delta("b", 1)});
  gathered_.add({delta("c", 1), ChoiceEnd{1, protocol::FinishReason::stop, ""}, delta("d", 0)});
  const auto events = gathered_.add({Finished{}});
  ASSERT_EQ(events.size(), 5u);
  EXPECT_EQ(std::get<Delta>(events[0]).text, "a");
  EXPECT_EQ(std::get<Delta>(events[1]).text, "bc");
  EXPECT_EQ(std::get<Delta>(events[3]).text, "d");
}

TEST_F(GatheredEventsTest, NothingWaitsForLong) {
  gathered_.add({delta("a")});
  clock_.advance(GatheredEvents::kTimeMax - std::chrono::milliseconds(1));
  EXPECT_TRUE(gathered_.add({delta("b")}).empty());
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_EQ(std::get<Delta>(gathered_.add({delta("c")}).at(0)).text, "bc");
  EXPECT_TRUE(gathered_.add({delta("d")}).empty()) << "the time begins again";
}

}  // namespace
}  // namespace plinth::worker
