#include "engine/request/device_time.h"

#include <gtest/gtest.h>

namespace plinth::engine {
namespace {

using std::chrono::nanoseconds;

TEST(TimeShares, NothingIsLostAndEachGetsItsPart) {
  TimeShares shares(nanoseconds(1000), 7);
  EXPECT_EQ(shares.take(2).count(), 285);
  EXPECT_EQ(shares.take(1).count(), 143);
  EXPECT_EQ(shares.take(4).count(), 572);
  // Past what a double holds exactly.
  constexpr std::int64_t kLong = (std::int64_t{1} << 62) + 1;
  TimeShares many(nanoseconds(kLong), 3);
  EXPECT_EQ((many.take(1) + many.take(1) + many.take(1)).count(), kLong);
  TimeShares alone(nanoseconds(-1), 3);  // a clock that went back
  EXPECT_EQ(alone.take(3).count(), -1);
}

TEST(DeviceTime, AllTimeIsBusyOrIdle) {
  const base::TimePoint start{};
  DeviceTime time(start);
  EXPECT_EQ(time.idle(start + nanoseconds(5)), nanoseconds(5));
  time.begin_step(start + nanoseconds(10));
  EXPECT_EQ(time.take_busy(start + nanoseconds(17)), nanoseconds(7));
  time.end_step(true);
  // What lies between two steps belongs to the second.
  time.begin_step(start + nanoseconds(20));
  EXPECT_EQ(time.idle(start + nanoseconds(21)), nanoseconds(10)) << "it works";
  EXPECT_EQ(time.take_busy(start + nanoseconds(30)), nanoseconds(13));
  time.end_step(false);
  EXPECT_EQ(time.idle(start + nanoseconds(100)), nanoseconds(80));
  time.begin_step(start + nanoseconds(100));
  EXPECT_EQ(time.idle(start + nanoseconds(101)), nanoseconds(80));
  EXPECT_EQ(time.busy(), nanoseconds(20));
}

}  // namespace
}  // namespace plinth::engine
