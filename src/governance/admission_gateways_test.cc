// Several gateways over one database: no limit is passed by all of them together, whatever becomes
// of one.
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "governance/admission.h"
#include "governance/limits.h"
#include "governance/testing/gateway.h"
#include "store/scratch_database.h"

namespace plinth::governance {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class GatewaysTest : public testing::TestWithParam<store::Dialect> {
 protected:
  void SetUp() override {
    scratch_ = *store::ScratchDatabase::make(GetParam());
    one_ = open("one");
    two_ = open("two");
    principal_.key_id = "k";
    principal_.project = "p";
  }
  std::unique_ptr<Gateway> open(const std::string& name) {
    return std::make_unique<Gateway>(scratch_->where(), clock_, name);
  }
  void limit(Resource resource, std::int64_t amount) {
    const store::LimitRow row{"project", "p", "", std::string(resource_name(resource)), amount};
    ASSERT_TRUE(one_->admission->set_limit(row).ok());
    ASSERT_TRUE(two_->admission->refresh().ok());
  }
  // A token costs a pico-unit.
  void budget(std::int64_t amount) {
    ASSERT_TRUE(one_->admission->insert_price({"m", "standard", 0, 1, 1, 1, 0}).ok());
    ASSERT_TRUE(one_->admission->set_budget({"project", "p", "day", amount, 0, 0}).ok());
    ASSERT_TRUE(two_->admission->refresh().ok());
  }
  // A request that uses all that it reserves; false where it is refused.
  bool call(Gateway& gateway, std::int64_t tokens) {
    auto ticket = gateway.begin(principal_, {"m"});
    if (!ticket.ok() || !gateway.reserve(*ticket, tokens, 0).ok()) return false;
    return gateway.settle(*std::move(ticket), principal_, {"m"}, {tokens, 0, 0}).ok();
  }
  // Seconds pass in which nobody asks for anything.
  void rest(int count) {
    for (int i = 0; i < count; ++i) {
      clock_.advance(kBlockTick);
      EXPECT_TRUE(one_->admission->exchange().ok());
      EXPECT_TRUE(two_->admission->exchange().ok());
    }
  }
  std::int64_t spent() {
    return (*one_->limits.budgets("project", "p", clock_.unix_seconds())).at(0).spent_pico;
  }

  base::FakeClock clock_;
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<Gateway> one_, two_;
  Principal principal_;
};

INSTANTIATE_TEST_SUITE_P(Governance, GatewaysTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

TEST_P(GatewaysTest, ABudgetIsSpentToItsEndAndNoFurther) {
  budget(1'000);
  int refused = 0;
  for (int i = 0; i < 400; ++i) {
    if (!call(i % 2 == 0 ? *one_ : *two_, 10)) ++refused;
  }
  EXPECT_EQ(spent(), 1'000);
  EXPECT_EQ(refused, 300);
}

// The last of a budget: what one gateway still has is no use to the other before it is back.
TEST_P(GatewaysTest, LittleOfABudgetIsStranded) {
  budget(10'000);
  ASSERT_TRUE(call(*one_, 100));  // and a spare block of 1,250 less a request
  ASSERT_TRUE(call(*two_, 8'000));
  EXPECT_FALSE(call(*two_, 1'900));
  rest(kQuietTicks + 1);
  EXPECT_TRUE(call(*two_, 1'900)) << "all that is left";
  EXPECT_EQ(spent(), 10'000);
}

TEST_P(GatewaysTest, RacingCallersNeverPassABudget) {
  budget(20'000);
  std::atomic<std::int64_t> used{0};
  const auto race = [&](Gateway& gateway, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < 120; ++i) {
      auto ticket = gateway.begin(principal_, {"m"});
      if (!ticket.ok()) continue;
      const auto tokens = static_cast<std::int64_t>(random() % 300 + 1);
      if (!gateway.reserve(*ticket, tokens, 50).ok()) continue;
      const auto output = static_cast<std::int64_t>(random() % 51);
      EXPECT_TRUE(gateway.settle(*std::move(ticket), principal_, {"m"}, {tokens, 0, output}).ok());
      used += tokens + output;
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < 4; ++i)
    threads.emplace_back([&, i] { race(i % 2 == 0 ? *one_ : *two_, 20261129 + i); });
  for (auto& thread : threads) thread.join();
  rest(kQuietTicks + 1);
  while (call(*one_, 10) || call(*two_, 10)) used += 10;
  EXPECT_EQ(spent(), used);
  EXPECT_LE(used, 20'000);
  EXPECT_GE(used, 20'000 * 99 / 100) << "less than one in a hundred is stranded";
}

TEST_P(GatewaysTest, RacingCallersNeverPassARate) {
  limit(Resource::tokens_per_minute, 5'000);
  limit(Resource::requests_per_minute, 400);
  std::atomic<std::int64_t> tokens{0}, requests{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      auto& gateway = i % 2 == 0 ? *one_ : *two_;
      for (int j = 0; j < 150; ++j) {
        auto ticket = gateway.begin(principal_, {"m"});
        if (!ticket.ok()) continue;
        ++requests;
        if (!gateway.reserve(*ticket, 20, 20).ok()) continue;
        EXPECT_TRUE(gateway.settle(*std::move(ticket), principal_, {"m"}, {20, 0, 5}).ok());
        tokens += 25;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(tokens, 5'000);
  EXPECT_GT(tokens, 4'500);
  for (auto* gateway : {one_.get(), two_.get()}) {
    while (gateway->begin(principal_, {"m"}).ok()) ++requests;
  }
  EXPECT_EQ(requests, 400);
}

TEST_P(GatewaysTest, ParallelRequestsAreCountedOverAll) {
  limit(Resource::parallel_requests, 3);
  auto first = one_->begin(principal_, {"m"}), second = two_->begin(principal_, {"m"});
  auto third = two_->begin(principal_, {"m"});
  ASSERT_TRUE(first.ok() && second.ok() && third.ok());
  EXPECT_FALSE(one_->begin(principal_, {"m"}).ok());
  third = absl::CancelledError("over");
  rest(kQuietTicks + 1);
  EXPECT_TRUE(one_->begin(principal_, {"m"}).ok());
}

TEST_P(GatewaysTest, WhatADeadGatewayHeldComesBackWithItsLease) {
  budget(1'000);
  limit(Resource::tokens_per_minute, 100'000);
  auto ticket = *two_->begin(principal_, {"m"});
  ASSERT_TRUE(two_->reserve(ticket, 900, 0).ok());
  EXPECT_FALSE(call(*one_, 500));
  clock_.advance(store::kLease - seconds(1));
  EXPECT_FALSE(call(*one_, 500));
  clock_.advance(seconds(1));
  EXPECT_TRUE(call(*one_, 500));
  EXPECT_TRUE(call(*one_, 500));
  EXPECT_FALSE(call(*one_, 1));
}

// A gateway that slept past its lease spends nothing of what others have now, and what ran in it
// is not charged.
TEST_P(GatewaysTest, AGatewayThatSleptSpendsNothing) {
  budget(1'000);
  auto running = *two_->begin(principal_, {"m"});
  ASSERT_TRUE(two_->reserve(running, 100, 0).ok()) << "of 125";
  auto idle = *two_->begin(principal_, {"m"});
  clock_.advance(store::kLease);
  EXPECT_TRUE(call(*one_, 1'000));
  EXPECT_FALSE(two_->reserve(idle, 1, 0).ok());
  EXPECT_FALSE(two_->begin(principal_, {"m"}).ok());
  const auto late = two_->settle(std::move(running), principal_, {"m"}, {100, 0, 0});
  EXPECT_TRUE(absl::IsFailedPrecondition(late)) << late;
  EXPECT_EQ(spent(), 1'000);
}

// Its own clock tells it so, before anybody else can know.
TEST_P(GatewaysTest, ALeaseEndsAMarginBeforeTheDatabaseEndsIt) {
  limit(Resource::tokens_per_minute, 10'000);
  ASSERT_TRUE(call(*one_, 10));
  one_->hand.is_away = true;
  clock_.advance(store::kLease - kLeaseMargin - milliseconds(1));
  EXPECT_TRUE(call(*one_, 10)) << "from its block";
  clock_.advance(milliseconds(1));
  auto later = one_->admission->begin(principal_, {"m"}, [](auto) {});
  EXPECT_FALSE(later.has_value()) << "it waits";
}

TEST_P(GatewaysTest, AGatewayThatWasKilledStartsWithWhatIsLeft) {
  limit(Resource::tokens_per_minute, 1'000);
  limit(Resource::requests_per_day, 10);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(call(*one_, 180));
  one_.reset();
  one_ = open("again");
  EXPECT_FALSE(call(*one_, 101)) << "a restart fills nothing";
  EXPECT_TRUE(call(*one_, 1));
  int more = 0;
  for (int i = 0; i < 20; ++i) more += call(*one_, 1) || call(*two_, 1) ? 1 : 0;
  EXPECT_LE(more, 3);
}

TEST_P(GatewaysTest, WhoeverStopsGivesBackWhatItHas) {
  budget(1'000);
  limit(Resource::tokens_per_minute, 1'000);
  ASSERT_TRUE(call(*two_, 10));
  two_->is_killed = false;
  two_.reset();
  EXPECT_TRUE(call(*one_, 990));
}

TEST_P(GatewaysTest, ClocksThatStepOpenNothing) {
  budget(1'000);
  limit(Resource::tokens_per_minute, 1'000);
  ASSERT_TRUE(call(*one_, 1'000));
  const base::FakeClock ahead(clock_.unix_seconds() + 40 * 86'400);
  {
    // Its machine is in another month, the database is not.
    Gateway other(scratch_->where(), ahead, "ahead");
    other.hand.offset_ms = -40LL * 86'400'000;
    EXPECT_FALSE(call(other, 1));
  }
  for (const std::int64_t step : {-3'600'000, 0, -30'000, 0}) {
    one_->hand.offset_ms = two_->hand.offset_ms = step;
    EXPECT_FALSE(call(*one_, 1)) << step;
    EXPECT_FALSE(call(*two_, 1)) << step;
  }
}

TEST_P(GatewaysTest, WhileTheDatabaseIsAwayBlocksAreSpentAndNoMore) {
  limit(Resource::tokens_per_minute, 8'000);
  ASSERT_TRUE(call(*one_, 10));
  one_->hand.is_away = true;
  EXPECT_TRUE(call(*one_, 10)) << "from the block";
  auto ticket = *one_->begin(principal_, {"m"});
  absl::Status answer = base::internal("none");
  const auto wait = [&](const absl::Status& status) { answer = status; };
  ASSERT_FALSE(one_->admission->reserve(ticket, {5'000, 0, 0}, wait).has_value());
  EXPECT_FALSE(one_->admission->exchange().ok());
  EXPECT_TRUE(absl::IsInternal(answer)) << "it still waits: " << answer;
  auto next = *one_->begin(principal_, {"m"});
  const auto at_once = one_->admission->reserve(next, {5'000, 0, 0}, wait);
  ASSERT_TRUE(at_once.has_value()) << "who comes later is told at once";
  EXPECT_TRUE(absl::IsUnavailable(*at_once)) << *at_once;
  one_->hand.is_away = false;
  EXPECT_TRUE(one_->admission->exchange().ok());
  EXPECT_TRUE(answer.ok()) << answer;
  // Nobody waits for longer than that.
  one_->hand.is_away = true;
  answer = base::internal("none");
  ASSERT_FALSE(one_->admission->reserve(next, {2'000, 0, 0}, wait).has_value());
  clock_.advance(kBlockWait);
  EXPECT_FALSE(one_->admission->exchange().ok());
  EXPECT_TRUE(absl::IsUnavailable(answer)) << answer;
}

TEST_P(GatewaysTest, WhoeverLeavesWaitsNoMore) {
  limit(Resource::tokens_per_minute, 8'000);
  bool answered = false;
  {
    auto ticket = *one_->begin(principal_, {"m"});
    ASSERT_FALSE(
        one_->admission->reserve(ticket, {5'000, 0, 0}, [&](const auto&) { answered = true; }));
  }
  EXPECT_TRUE(one_->admission->exchange().ok());
  EXPECT_FALSE(answered);
  EXPECT_TRUE(call(*one_, 8'000)) << "it took nothing";
}

// What a gateway says is left is there for its caller, whatever the others do meanwhile.
TEST_P(GatewaysTest, WhatIsSaidToRemainIsNeverMore) {
  limit(Resource::tokens_per_minute, 10'000);
  limit(Resource::requests_per_minute, 200);
  std::mt19937_64 random(7);
  for (int round = 0; round < 12; ++round) {
    auto& teller = round % 2 == 0 ? *one_ : *two_;
    auto& other = round % 2 == 0 ? *two_ : *one_;
    call(teller, static_cast<std::int64_t>(random() % 300));
    const auto told = teller.admission->view(principal_, {"m"});
    const auto tokens = told.tokens->remaining, requests = told.requests->remaining;
    if (round == 0) {
      EXPECT_GT(tokens, 0) << "a bound that says something";
      EXPECT_GT(requests, 0);
    }
    while (call(other, 50) || call(other, 1)) continue;
    ASSERT_LE(tokens, 10'000);
    EXPECT_TRUE(tokens == 0 || call(teller, tokens)) << "round " << round;
    for (std::int64_t i = tokens > 0 ? 1 : 0; i < requests; ++i)
      EXPECT_TRUE(teller.begin(principal_, {"m"}).ok()) << "round " << round;
    clock_.advance(seconds(20));
    rest(1);
  }
}

TEST_P(GatewaysTest, WhoseLeaseLapsedSaysThatNothingRemains) {
  limit(Resource::tokens_per_minute, 10'000);
  ASSERT_TRUE(call(*one_, 10));
  EXPECT_GT(one_->admission->view(principal_, {"m"}).tokens->remaining, 0);
  clock_.advance(store::kLease);
  EXPECT_EQ(one_->admission->view(principal_, {"m"}).tokens->remaining, 0);
}

// Most requests never ask the database.
TEST_P(GatewaysTest, ManyRequestsNeedFewTransactions) {
  limit(Resource::tokens_per_minute, 10'000'000);
  limit(Resource::requests_per_minute, 100'000);
  limit(Resource::parallel_requests, 100);
  budget(100'000'000);
  const int before = one_->hand.asked;
  constexpr int kRequests = 3'000;
  for (int i = 0; i < kRequests; ++i) {
    auto ticket = *one_->begin(principal_, {"m"});
    ASSERT_TRUE(one_->reserve(ticket, 500, 500).ok());
    one_->admission->settle(std::move(ticket), {500, 0, 500}, 1'000);
    clock_.advance(milliseconds(1));
    if (i % 50 == 0) (void)one_->admission->exchange();  // the thread's pace
  }
  EXPECT_LT(one_->hand.asked - before, 40) << "a few in each of the three seconds";
}

}  // namespace
}  // namespace plinth::governance
