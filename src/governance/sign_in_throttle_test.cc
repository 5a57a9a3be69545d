#include "governance/sign_in_throttle.h"

#include <gtest/gtest.h>

#include <string>

#include "governance/sign_in/failure_table.h"
#include "governance/sign_in_limits.h"

namespace plinth::governance {
namespace {

using std::chrono::seconds;

class SignInThrottleTest : public ::testing::Test {
 protected:
  bool admitted(const std::string& account, const std::string& source) {
    return throttle_.admit(account, source) == base::Duration::zero();
  }
  void fail(int times, const std::string& account, const std::string& source) {
    for (int i = 0; i < times; ++i) ASSERT_TRUE(admitted(account, source)) << i;
  }
  base::FakeClock clock_;
  SignInThrottle throttle_{clock_};
};

TEST_F(SignInThrottleTest, EachFailureOfAnAccountDoublesTheWait) {
  fail(kAccountFailuresFree, "ada", "1.1.1.1");
  for (const int wait : {1, 2, 4, 8, 16, 32, 60, 60, 60}) {
    EXPECT_EQ(throttle_.wait("ada", "2.2.2.2"), seconds(wait));
    EXPECT_EQ(throttle_.admit("ada", "2.2.2.2"), seconds(wait));
    clock_.advance(seconds(wait) - std::chrono::milliseconds(1));
    EXPECT_FALSE(admitted("ada", "2.2.2.2"));
    clock_.advance(std::chrono::milliseconds(1));
    EXPECT_TRUE(admitted("ada", "2.2.2.2"));
  }
  EXPECT_TRUE(admitted("bob", "2.2.2.2"));
}

TEST_F(SignInThrottleTest, RefusedAttemptsDoNotLengthenTheWait) {
  fail(kAccountFailuresFree, "ada", "1.1.1.1");
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(admitted("ada", "1.1.1.1"));
  EXPECT_EQ(throttle_.wait("ada", "1.1.1.1"), seconds(1));
}

TEST_F(SignInThrottleTest, ASourceThatTriesManyAccountsWaits) {
  for (int i = 0; i < kSourceFailuresFree; ++i) {
    ASSERT_TRUE(admitted("user" + std::to_string(i), "1.1.1.1"));
  }
  EXPECT_FALSE(admitted("another", "1.1.1.1"));
  EXPECT_TRUE(admitted("another", "2.2.2.2"));
  for (int i = 0; i < 20; ++i) {
    clock_.advance(throttle_.wait("x" + std::to_string(i), "1.1.1.1"));
    ASSERT_TRUE(admitted("x" + std::to_string(i), "1.1.1.1"));
  }
  EXPECT_EQ(throttle_.wait("y", "1.1.1.1"), kSourceDelayMax);
}

TEST_F(SignInThrottleTest, SuccessForgivesTheAccount) {
  fail(kAccountFailuresFree - 1, "ada", "1.1.1.1");
  ASSERT_TRUE(admitted("ada", "1.1.1.1"));
  throttle_.succeeded("ada", "1.1.1.1");
  fail(kAccountFailuresFree, "ada", "1.1.1.1");
  EXPECT_FALSE(admitted("ada", "1.1.1.1"));
}

// A guesser who signs in to an account of their own in between gains nothing.
TEST_F(SignInThrottleTest, SuccessDoesNotForgiveTheSource) {
  for (int i = 0; i < kSourceFailuresFree; ++i) {
    ASSERT_TRUE(admitted("user" + std::to_string(i), "1.1.1.1"));
    if (i == kSourceFailuresFree - 1) break;
    ASSERT_TRUE(admitted("own", "1.1.1.1"));
    throttle_.succeeded("own", "1.1.1.1");
  }
  EXPECT_FALSE(admitted("own", "1.1.1.1"));
}

TEST_F(SignInThrottleTest, AnAttemptWithoutAnAnswerIsNotCounted) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(admitted("ada", "1.1.1.1"));
    throttle_.undone("ada", "1.1.1.1");
  }
  fail(kAccountFailuresFree, "ada", "1.1.1.1");
}

// A hundred at once, before the first has its answer.
TEST_F(SignInThrottleTest, AttemptsAtOnceCountBeforeTheirAnswers) {
  int through = 0;
  for (int i = 0; i < 100; ++i) through += admitted("ada", "1.1.1." + std::to_string(i)) ? 1 : 0;
  EXPECT_EQ(through, kAccountFailuresFree);
}

TEST_F(SignInThrottleTest, ForgetsAfterAnHour) {
  fail(kAccountFailuresFree, "ada", "1.1.1.1");
  clock_.advance(kFailuresForgotten);
  EXPECT_EQ(throttle_.wait("ada", "1.1.1.1"), base::Duration::zero());
  fail(kAccountFailuresFree, "ada", "1.1.1.1");
}

TEST(ThrottleSource, IsWhatOneCustomerGets) {
  EXPECT_EQ(throttle_source("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(throttle_source("::ffff:192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(throttle_source("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(throttle_source("2001:db8:1:2::1"), throttle_source("2001:db8:1:2:ffff::9"));
  EXPECT_NE(throttle_source("2001:db8:1:2::1"), throttle_source("2001:db8:1:3::1"));
  EXPECT_EQ(throttle_source("fe80::1%eth0"), "fe80::/64");
  EXPECT_EQ(throttle_source("unix"), "unix");
}

TEST(FailureTable, ItsMemoryIsBounded) {
  FailureTable table({.free = 1, .delay_max = seconds(60), .entries_max = 10});
  base::TimePoint now;
  table.add("first", now);
  table.add("second", now);
  for (int i = 0; i < 8; ++i) table.add(std::to_string(i), now += seconds(1));
  table.add("first", now);  // now the latest
  for (int i = 8; i < 17; ++i) table.add(std::to_string(i), now += seconds(1));
  EXPECT_EQ(table.size(), 10u);
  table.take_back("7");
  EXPECT_EQ(table.size(), 10u);  // gone before
  EXPECT_GT(table.wait("16", now), base::Duration::zero());
  now = base::TimePoint() + seconds(8);
  EXPECT_GT(table.wait("first", now), base::Duration::zero());
  EXPECT_EQ(table.wait("second", now), base::Duration::zero());
  table.add("late", base::TimePoint() + 2 * kFailuresForgotten);
  EXPECT_EQ(table.size(), 1u);
}

}  // namespace
}  // namespace plinth::governance
