#include "apps/terminal.h"

#include <gtest/gtest.h>

namespace plinth {
namespace {

// What a test captures is no terminal.
TEST(ProgressBar, IsOneLineASecondAtMostWhereItCannotBeDrawnOver) {
  base::FakeClock clock;
  ProgressBar bar(clock);
  testing::internal::CaptureStderr();
  for (int i = 0; i <= 1000; ++i) {  // 2.5 s
    bar.update("a", static_cast<std::uint64_t>(i), 1000);
    if (i < 1000) clock.advance(std::chrono::microseconds(2500));
  }
  bar.update("a", 1000, 1000);  // again, as at the end of a transfer
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "a: 400 B of 1000 B\na: 800 B of 1000 B\na: 1000 B of 1000 B\n");
}

TEST(ProgressBar, SaysOfEachSmallFileThatItIsThere) {
  base::FakeClock clock;
  ProgressBar bar(clock);
  testing::internal::CaptureStderr();
  for (const char* name : {"a", "b"}) {
    for (std::uint64_t done = 0; done <= 10; ++done) bar.update(name, done, 10);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "a: 10 B of 10 B\nb: 10 B of 10 B\n");
}

}  // namespace
}  // namespace plinth
