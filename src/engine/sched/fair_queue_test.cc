#include "engine/sched/fair_queue.h"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>

#include "engine/limits.h"

namespace plinth::engine {
namespace {

class FairQueueTest : public ::testing::Test {
 protected:
  Sequence& add(const std::string& tenant, std::int32_t prompt = 10, std::int32_t weight = 1) {
    Sequence& sequence = sequences_.emplace_back();
    sequence.owner = {tenant, weight, protocol::ServiceClass::standard};
    sequence.tokens.assign(static_cast<std::size_t>(prompt), 1);
    sequence.prompt_tokens = prompt;
    sequence.arrival = ++arrivals_;
    queue_.join(sequence);
    queue_.push(sequence, true);
    return sequence;
  }
  // All of its prompt, and the first token after it.
  void serve(Sequence& sequence) {
    queue_.pop(sequence);
    queue_.charge(sequence, sequence.missing());
    sequence.computed = sequence.prompt_tokens;
    sequence.tokens.push_back(1);
  }
  void end(Sequence& sequence) {
    queue_.pop(sequence);
    queue_.leave(sequence);
  }

  FairQueue queue_{{1, 2}, 20};
  std::deque<Sequence> sequences_;
  std::uint64_t arrivals_ = 0;
};

TEST_F(FairQueueTest, TheLeastServedTenantIsNextAndWithinItTheOldest) {
  Sequence& a1 = add("a");
  Sequence& a2 = add("a");
  Sequence& b1 = add("b");
  EXPECT_EQ(queue_.front(), &a1) << "of equals the older one";
  serve(a1);
  EXPECT_EQ(queue_.front(), &b1);
  EXPECT_EQ(a1.tenant->counter, 12) << "10 of the prompt, and a sampled one that counts 2";
  // It waits again: before the younger ones of its tenant.
  queue_.push(a1);
  serve(b1);
  EXPECT_EQ(queue_.front(), &a1);
  EXPECT_EQ(queue_.size(), 2);
  queue_.pop(a1);
  EXPECT_EQ(queue_.front(), &a2);
}

TEST_F(FairQueueTest, WhatTheStepWillGiveCountsForTheNextTurnAlone) {
  Sequence& a = add("a");
  add("a");
  Sequence& b = add("b");
  queue_.pop(a);
  queue_.plan(a, 10);
  EXPECT_EQ(queue_.front(), &b);
  EXPECT_EQ(a.tenant->counter, 0);
}

TEST_F(FairQueueTest, OnlyWhatWasNeverComputedBeforeIsCharged) {
  Sequence& a = add("a", 30);
  queue_.pop(a);
  a.computed = 16;  // found in the cache
  queue_.charge(a, 4);
  EXPECT_EQ(a.tenant->counter, 4);
  a.computed = 20;
  queue_.charge(a, 10);
  EXPECT_EQ(a.tenant->counter, 4 + 10 + 2);
  a.computed = 30;
  a.tokens.push_back(1);
  queue_.charge(a, 1);
  a.computed = 31;
  a.tokens.push_back(1);
  EXPECT_EQ(a.tenant->counter, 18);
  // Its pages are gone: all is computed again, and the next token is new.
  a.computed = 0;
  queue_.charge(a, 31);
  EXPECT_EQ(a.tenant->counter, 18);
  a.computed = 31;
  queue_.charge(a, 1);
  EXPECT_EQ(a.tenant->counter, 20);
}

TEST_F(FairQueueTest, AWeightMakesTokensCheaper) {
  Sequence& a = add("a", 10, 3);
  serve(a);
  EXPECT_EQ(a.tenant->counter, 4);
  add("a", 10, 2);
  EXPECT_EQ(a.tenant->weight, 2) << "the latest counts";
}

TEST_F(FairQueueTest, WhoComesToWaitIsLiftedToTheLeastOfThoseThatDo) {
  Sequence& a = add("a", 98);
  add("a");
  serve(a);
  Sequence& b = add("b", 48);
  EXPECT_EQ(b.tenant->counter, 100) << "who was not there has no credit";
  add("b");
  serve(b);
  EXPECT_EQ(add("c").tenant->counter, 100);
  EXPECT_EQ(b.tenant->counter, 150);
  add("b");
  EXPECT_EQ(b.tenant->counter, 150) << "never down";
}

TEST_F(FairQueueTest, WhereNobodyWaitsNobodyIsOwedAnything) {
  Sequence& a = add("a", 98);
  Sequence& b = add("b", 8);
  serve(a);
  serve(b);
  EXPECT_EQ(b.tenant->counter, 10);
  EXPECT_EQ(add("c").tenant->counter, 100) << "both others run, and c is behind neither";
}

TEST_F(FairQueueTest, WhoAsksForLittleKeepsAPlaceBehindTheOthers) {
  Sequence& a = add("a", 98);
  Sequence& b = add("b", 8);
  serve(a);
  serve(b);
  EXPECT_EQ(b.tenant->counter, 10);
  EXPECT_EQ(add("b").tenant->counter, 80) << "as far behind as may be";
  EXPECT_EQ(add("c").tenant->counter, 80);
}

TEST_F(FairQueueTest, AnAccountThatMattersOutlivesItsSequences) {
  Sequence& a = add("a", 98);
  add("b");
  serve(a);
  end(a);
  EXPECT_EQ(add("a").tenant->counter, 100) << "one request at a time earns no new start";
}

TEST_F(FairQueueTest, AccountsOfTenantsThatAreGoneAreBounded) {
  Sequence& waiting = add("waits");
  Sequence& heavy = add("heavy", 1000);
  serve(heavy);
  end(heavy);
  for (int i = 0; i < 5 * kIdleTenantsMax; ++i) {
    Sequence& sequence = add("t" + std::to_string(i), 5);
    serve(sequence);
    end(sequence);
    ASSERT_LE(queue_.accounts(), static_cast<std::size_t>(kIdleTenantsMax) + 2);
  }
  EXPECT_EQ(add("heavy").tenant->counter, 1002) << "who was served least is forgotten first";
  // Once those that wait have caught up, no account says anything.
  waiting.tenant->counter = 5000;
  end(sequences_.back());
  for (int i = 0; i < kIdleTenantsMax + 1; ++i) end(add("u" + std::to_string(i)));
  EXPECT_LE(queue_.accounts(), static_cast<std::size_t>(kIdleTenantsMax) + 1);
  end(waiting);
  EXPECT_EQ(queue_.accounts(), 0u) << "the engine is empty";
  EXPECT_TRUE(std::isinf(queue_.least()));
  EXPECT_EQ(queue_.front(), nullptr);
}

}  // namespace
}  // namespace plinth::engine
