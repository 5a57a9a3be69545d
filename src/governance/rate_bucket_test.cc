#include "governance/rate_bucket.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "governance/limits.h"

namespace plinth::governance {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(RateBucket, RefillsContinuously) {
  base::TimePoint now{};
  RateBucket bucket(60, minutes(1), now);
  EXPECT_EQ(bucket.level(now), 60);
  bucket.take(60, now);
  EXPECT_FALSE(bucket.fits(1, now));
  EXPECT_EQ(bucket.until(1, now), seconds(1));
  now += milliseconds(999);
  EXPECT_FALSE(bucket.fits(1, now));
  now += milliseconds(1);
  EXPECT_TRUE(bucket.fits(1, now));
  EXPECT_FALSE(bucket.fits(2, now));
  now += minutes(5);
  EXPECT_EQ(bucket.level(now), 60) << "one period's worth at most";
  EXPECT_EQ(bucket.until(61, now), base::Duration::max());
}

TEST(RateBucket, TimeThatStepsBackIsNone) {
  base::TimePoint now = base::TimePoint{} + minutes(10);
  RateBucket bucket(60, minutes(1), now);
  bucket.take(60, now);
  EXPECT_EQ(bucket.level(now - minutes(5)), 0);
  EXPECT_EQ(bucket.level(now + seconds(1)), 1);
}

TEST(RateBucket, HoldsTheLargestLimit) {
  base::TimePoint now{};
  RateBucket bucket(kLimitMax, std::chrono::hours(24), now);
  bucket.take(kLimitMax, now);
  bucket.put_back(kLimitMax, now);
  EXPECT_EQ(bucket.level(now + std::chrono::hours(48)), kLimitMax);
}

TEST(RateBucket, ANewLimitKeepsWhatIsThere) {
  base::TimePoint now{};
  RateBucket bucket(100, minutes(1), now);
  bucket.take(90, now);
  bucket.set_limit(1000, now);
  EXPECT_EQ(bucket.level(now), 10);
  bucket.set_limit(5, now);
  EXPECT_EQ(bucket.level(now), 5);
  bucket.set_limit(0, now);
  EXPECT_FALSE(bucket.fits(1, now + minutes(5)));
}

// The bound itself: any window of w seconds lets through limit * (1 + w / 60) at most, and whoever
// asks all the time gets nearly that.
TEST(RateBucket, NoWindowLetsThroughMore) {
  const std::uint64_t seed = 20261128;
  std::mt19937_64 random(seed);
  constexpr std::int64_t kRate = 997;
  base::TimePoint now{};
  const auto start = now;
  RateBucket bucket(kRate, minutes(1), now);
  std::vector<std::pair<base::TimePoint, std::int64_t>> taken;
  std::int64_t all = 0;
  while (now < start + minutes(7)) {
    now += microseconds(random() % 400'000);
    const auto amount = static_cast<std::int64_t>(random() % 50);
    if (!bucket.fits(amount, now)) continue;
    bucket.take(amount, now);
    taken.emplace_back(now, amount);
    all += amount;
  }
  for (std::size_t first = 0; first < taken.size(); ++first) {
    std::int64_t sum = 0;
    for (std::size_t last = first; last < taken.size(); ++last) {
      sum += taken[last].second;
      const auto window = std::chrono::duration<double>(taken[last].first - taken[first].first);
      ASSERT_LE(static_cast<double>(sum), kRate * (1 + window.count() / 60) + 1e-6) << seed;
    }
  }
  EXPECT_GT(all, kRate * 7);
}

}  // namespace
}  // namespace plinth::governance
