#include "engine/sched/scheduler.h"

#include <gtest/gtest.h>

#include <memory>

namespace plinth::engine {
namespace {

class SchedulerTest : public ::testing::Test {
 protected:
  Sequence& add(Scheduler& scheduler, int prompt, int first_token, Sequence* leader = nullptr) {
    auto& sequence = *sequences_.emplace_back(std::make_unique<Sequence>());
    for (int i = 0; i < prompt; ++i) sequence.tokens.push_back(first_token + i);
    sequence.prompt_tokens = prompt;
    scheduler.add(sequence, leader);
    return sequence;
  }
  // Runs the planned step; a sequence that is complete gets one more token.
  static std::vector<ScheduledChunk> step(Scheduler& scheduler) {
    auto chunks = scheduler.plan();
    for (const auto& chunk : chunks) {
      scheduler.commit(chunk);
      if (chunk.sequence->missing() == 0) chunk.sequence->tokens.push_back(7);
    }
    return chunks;
  }
  static int tokens_of(const std::vector<ScheduledChunk>& chunks, const Sequence& sequence) {
    for (const auto& chunk : chunks) {
      if (chunk.sequence == &sequence) return chunk.tokens;
    }
    return 0;
  }
  std::vector<std::unique_ptr<Sequence>> sequences_;
};

TEST_F(SchedulerTest, OneTokenPastTheOriginalContextAllAreComputedAgain) {
  SchedulerOptions options;
  options.short_rope_tokens_max = 32;
  Scheduler scheduler(100, options);
  auto& fits = add(scheduler, 32, 0);
  auto& longer = add(scheduler, 33, 100);
  EXPECT_FALSE(fits.scope.long_rope);
  EXPECT_TRUE(longer.scope.long_rope);
  EXPECT_EQ(tokens_of(step(scheduler), fits), 32);
  EXPECT_FALSE(fits.scope.long_rope);
  const auto chunks = step(scheduler);
  EXPECT_TRUE(fits.scope.long_rope);
  EXPECT_EQ(tokens_of(chunks, fits), 33);
  EXPECT_EQ(tokens_of(chunks, longer), 1);
  EXPECT_EQ(tokens_of(step(scheduler), fits), 1);
}

TEST_F(SchedulerTest, DecodesComeBeforePromptsWithinTheBudget) {
  Scheduler scheduler(100, {20, 8, {}});
  auto& a = add(scheduler, 5, 0);
  step(scheduler);
  auto& b = add(scheduler, 50, 100);
  auto& c = add(scheduler, 50, 200);
  auto chunks = step(scheduler);
  EXPECT_EQ(tokens_of(chunks, a), 1);
  EXPECT_EQ(tokens_of(chunks, b), 19);
  EXPECT_EQ(tokens_of(chunks, c), 0);
  step(scheduler);
  chunks = step(scheduler);
  EXPECT_EQ(tokens_of(chunks, a), 1);
  EXPECT_EQ(tokens_of(chunks, b), 12);
  EXPECT_EQ(tokens_of(chunks, c), 7) << "the oldest prompt first, then the next one";
}

TEST_F(SchedulerTest, NoSequencePassesTheOneThatIsNext) {
  Scheduler scheduler(6, {64, 8, {}});
  auto& small = add(scheduler, 30, 0);
  step(scheduler);
  auto& big = add(scheduler, 80, 100);
  auto& tiny = add(scheduler, 2, 300);
  for (int i = 0; i < 3; ++i) {
    const auto chunks = step(scheduler);
    EXPECT_EQ(tokens_of(chunks, big), 0);
    EXPECT_EQ(tokens_of(chunks, tiny), 0) << "it has room, but is not next";
  }
  scheduler.remove(small);
  EXPECT_GT(tokens_of(step(scheduler), big), 0);
}

TEST_F(SchedulerTest, TheYoungestGivesUpItsPagesAndFindsThemAgain) {
  Scheduler scheduler(5, {64, 8, {}});
  auto& old_one = add(scheduler, 30, 0);
  auto& young = add(scheduler, 14, 100);
  step(scheduler);
  // 2 + 1 pages; the old one comes to need two more, the young one one.
  for (int i = 0; i < 20; ++i) step(scheduler);
  EXPECT_EQ(scheduler.preemptions(), 1);
  EXPECT_GT(old_one.computed, 48);
  EXPECT_EQ(young.computed, 0);
  EXPECT_TRUE(young.blocks.empty());
  scheduler.remove(old_one);
  const auto chunks = scheduler.plan();
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(chunks[0].sequence, &young);
  EXPECT_GE(young.computed, 16) << "its first page was still in the cache";
  EXPECT_FALSE(chunks[0].first);
}

TEST_F(SchedulerTest, WhoGaveUpItsPagesComesBeforeWhoArrivedLater) {
  Scheduler scheduler(5, {64, 8, {}});
  auto& old_one = add(scheduler, 30, 0);
  auto& young = add(scheduler, 14, 100);
  step(scheduler);
  auto& later = add(scheduler, 30, 200);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(tokens_of(step(scheduler), later), 0);
  EXPECT_EQ(scheduler.preemptions(), 1);
  scheduler.remove(old_one);
  const auto chunks = scheduler.plan();
  ASSERT_FALSE(chunks.empty());
  EXPECT_EQ(chunks[0].sequence, &young);
}

TEST_F(SchedulerTest, ChoicesStartFromTheirLeadersPages) {
  for (const bool keep : {true, false}) {
    Scheduler scheduler(40, {32, 8, {keep, 0}});
    auto& leader = add(scheduler, 40, 0);
    auto& second = add(scheduler, 40, 0, &leader);
    auto& third = add(scheduler, 40, 0, &leader);
    auto& other = add(scheduler, 4, 500);
    auto chunks = step(scheduler);
    EXPECT_EQ(tokens_of(chunks, second), 0);
    EXPECT_EQ(scheduler.waiting(), 3);
    chunks = step(scheduler);
    EXPECT_EQ(tokens_of(chunks, leader), 8);
    EXPECT_EQ(tokens_of(chunks, other), 4) << "it need not wait for the choices before it";
    EXPECT_EQ(second.blocks,
              std::vector<BlockId>(leader.blocks.begin(), leader.blocks.begin() + 2));
    // The leader may end at once.
    scheduler.remove(leader);
    chunks = step(scheduler);
    EXPECT_EQ(tokens_of(chunks, second), 8);
    EXPECT_EQ(tokens_of(chunks, third), 8);
    for (Sequence* s : {&second, &third, &other}) scheduler.remove(*s);
    EXPECT_EQ(scheduler.cache().available(), 40);
    EXPECT_EQ(scheduler.cache().idle() > 0, keep);
  }
}

TEST_F(SchedulerTest, ALeaderThatIsRemovedLeavesItsFollowersARunOfTheirOwn) {
  Scheduler scheduler(40, {16, 8, {}});
  auto& leader = add(scheduler, 40, 0);
  auto& second = add(scheduler, 40, 0, &leader);
  step(scheduler);
  scheduler.remove(leader);
  const auto chunks = step(scheduler);
  EXPECT_EQ(tokens_of(chunks, second), 16);
  EXPECT_EQ(second.computed, 32) << "the leader's first page is cached";
}

TEST_F(SchedulerTest, DraftsTakeWhatTheStepLeavesAndGiveBackTheirPages) {
  Scheduler scheduler(4, {20, 8, {}});
  auto& a = add(scheduler, 15, 0);
  step(scheduler);
  auto& b = add(scheduler, 10, 100);
  auto chunks = scheduler.plan();
  ASSERT_EQ(chunks.size(), 2u);
  ASSERT_EQ(chunks[0].sequence, &a);
  scheduler.add_drafts(chunks[0], 30);
  EXPECT_EQ(chunks[0].drafts, 20 - 1 - 10) << "the step's budget";
  EXPECT_EQ(a.blocks.size(), 2u);
  scheduler.commit(chunks[0]);
  a.tokens.push_back(7);
  scheduler.keep_draft(a);
  EXPECT_EQ(a.computed, 17);
  a.tokens.push_back(8);
  scheduler.drop_drafts(a);
  EXPECT_EQ(a.blocks.size(), 2u) << "the second is needed now";
  scheduler.commit(chunks[1]);
  b.tokens.push_back(7);
  chunks = scheduler.plan();
  scheduler.add_drafts(chunks[0], 18);
  EXPECT_EQ(chunks[0].drafts, 18);
  EXPECT_EQ(a.blocks.size(), 3u);
  EXPECT_EQ(scheduler.cache().available(), 0);
  for (const auto& chunk : chunks) {
    scheduler.commit(chunk);
    chunk.sequence->tokens.push_back(9);
    scheduler.drop_drafts(*chunk.sequence);
  }
  EXPECT_EQ(a.computed, 18);
  EXPECT_EQ(a.blocks.size(), 2u);
  EXPECT_EQ(scheduler.cache().available(), 1);
  EXPECT_EQ(scheduler.take_freed().size(), 1u) << "what it held is cleared";
}

TEST_F(SchedulerTest, DraftsMakeDoWithThePagesThatNoSequenceHolds) {
  Scheduler scheduler(4, {64, 8, {}});
  auto& a = add(scheduler, 30, 0);
  auto& b = add(scheduler, 10, 100);
  for (int i = 0; i < 4; ++i) step(scheduler);
  auto chunks = scheduler.plan();
  ASSERT_EQ(chunks.size(), 2u);
  scheduler.add_drafts(chunks[0], 30);
  EXPECT_EQ(chunks[0].drafts, 48 - 34) << "up to the end of its last page";
  EXPECT_EQ(chunks[0].sequence, &a);
  EXPECT_EQ(b.blocks.size(), 1u);
  EXPECT_EQ(scheduler.running(), 2);
}

TEST_F(SchedulerTest, NoDraftGoesPastTheOriginalContext) {
  SchedulerOptions options;
  options.short_rope_tokens_max = 32;
  Scheduler scheduler(100, options);
  add(scheduler, 29, 0);
  add(scheduler, 33, 100);
  step(scheduler);
  auto chunks = scheduler.plan();
  ASSERT_EQ(chunks.size(), 2u);
  for (auto& chunk : chunks) scheduler.add_drafts(chunk, 10);
  EXPECT_EQ(chunks[0].drafts, 2);
  EXPECT_EQ(chunks[1].drafts, 10) << "its keys are those of a long sequence already";
}

TEST_F(SchedulerTest, WrongDraftsNeverReachTheCache) {
  Scheduler scheduler(100, {64, 8, {}});
  auto& a = add(scheduler, 14, 0);
  step(scheduler);
  auto chunks = scheduler.plan();
  scheduler.add_drafts(chunks[0], 5);
  scheduler.commit(chunks[0]);
  a.tokens.push_back(50);
  EXPECT_EQ(a.published, 0u) << "the page is full of drafts";
  scheduler.keep_draft(a);
  EXPECT_EQ(a.published, 1u);
  a.tokens.push_back(51);
  scheduler.drop_drafts(a);
  scheduler.remove(a);
  EXPECT_EQ(scheduler.cache().idle(), 1);
}

TEST_F(SchedulerTest, NoMoreRunThanAStepCanMove) {
  Scheduler scheduler(100, {4, 256, {}});
  for (int i = 0; i < 9; ++i) add(scheduler, 3, 10 * i);
  for (int i = 0; i < 20; ++i) {
    const auto chunks = step(scheduler);
    EXPECT_LE(scheduler.running(), 4);
    int tokens = 0;
    for (const auto& chunk : chunks) tokens += chunk.tokens;
    EXPECT_LE(tokens, 4);
  }
  EXPECT_EQ(scheduler.running(), 4);
  Scheduler narrow(100, {64, 2, {}});
  for (int i = 0; i < 3; ++i) add(narrow, 3, 10 * i);
  step(narrow);
  EXPECT_EQ(narrow.running(), 2);
}

}  // namespace
}  // namespace plinth::engine
