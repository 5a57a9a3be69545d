#include "api/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "api/limits.h"

namespace plinth::api {
namespace {

// Opened at the latest when the test ends, before its queue waits for what has begun.
struct Opened {
  std::promise<void>& gate;
  ~Opened() { gate.set_value(); }
};

// However much of it waits, and however long it takes.
TEST(WorkQueue, DoubtfulWorkKeepsNothingElseWaiting) {
  std::promise<void> go;
  const auto gate = go.get_future().share();
  std::atomic<int> begun{0};
  WorkQueue queue;
  const Opened opened{go};
  std::size_t taken = 0;
  while (queue
             .add(
                 [gate, &begun] {
                   ++begun;
                   gate.wait();
                 },
                 WorkQueue::Lane::doubtful)
             .ok())
    ++taken;
  EXPECT_GE(taken, kDoubtfulWorkMax);
  EXPECT_LE(taken, kDoubtfulWorkMax + kDoubtfulThreads);
  for (std::size_t i = 0; i < 2 * kDoubtfulWorkMax; ++i) {
    std::promise<void> done;
    ASSERT_TRUE(queue.add([&done] { done.set_value(); }).ok());
    ASSERT_EQ(done.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
  }
  EXPECT_LE(begun, kDoubtfulThreads);
}

TEST(WorkQueue, AllOfItRuns) {
  std::atomic<int> left{40};
  std::promise<void> done;
  WorkQueue queue;
  const auto work = [&] {
    if (--left == 0) done.set_value();
  };
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(queue.add(work, WorkQueue::Lane::doubtful).ok());
    ASSERT_TRUE(queue.add(work).ok());
  }
  EXPECT_EQ(done.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST(WorkQueue, TooMuchIsRefused) {
  std::promise<void> go;
  const auto gate = go.get_future().share();
  WorkQueue queue;
  const Opened opened{go};
  std::size_t taken = 0;
  absl::Status refused;
  while ((refused = queue.add([gate] { gate.wait(); })).ok()) ++taken;
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_GE(taken, kSlowWorkMax);
}

}  // namespace
}  // namespace plinth::api
