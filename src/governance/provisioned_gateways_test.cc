// Provisioned throughput over several gateways: what they admit together is what was sold.
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "governance/admission.h"
#include "governance/limits.h"
#include "governance/refusal.h"
#include "governance/testing/gateway.h"
#include "store/scratch_database.h"

namespace plinth::governance {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A thousand input-equivalent tokens a second: the brim is at ten thousand.
constexpr std::int64_t kRate = 60'000, kBrim = 10'000;

class ProvisionedTest : public testing::TestWithParam<store::Dialect> {
 protected:
  void SetUp() override {
    scratch_ = *store::ScratchDatabase::make(GetParam());
    one_ = std::make_unique<Gateway>(scratch_->where(), clock_, "one");
    two_ = std::make_unique<Gateway>(scratch_->where(), clock_, "two");
    sell(kRate);
    principal_.key_id = "k";
    principal_.project = "p";
  }
  void sell(std::int64_t tokens) {
    const store::LimitRow row{"deployment", "p/d", "", "provisioned_tokens", tokens};
    ASSERT_TRUE(one_->admission->set_limit(row).ok());
    ASSERT_TRUE(two_->admission->refresh().ok());
  }
  absl::StatusOr<Admission::Ticket> hold(Gateway& gateway, std::int64_t prompt,
                                         std::int64_t output = 0) {
    auto ticket = gateway.begin(principal_, demand_);
    if (!ticket.ok()) return ticket;
    const auto status = gateway.reserve(*ticket, prompt, output);
    if (!status.ok()) return status;
    return ticket;
  }
  bool call(Gateway& gateway, std::int64_t tokens) {
    auto ticket = hold(gateway, tokens);
    if (!ticket.ok()) return false;
    gateway.admission->settle(*std::move(ticket), {tokens, 0, 0}, 0);
    return true;
  }
  // What both gateways know is in the database.
  void tell() {
    clock_.advance(kBlockTick);
    EXPECT_TRUE(one_->admission->exchange().ok());
    EXPECT_TRUE(two_->admission->exchange().ok());
  }
  std::int64_t utilisation(Gateway& gateway) {
    const auto used = gateway.admission->utilisation("p/d");
    EXPECT_TRUE(used.ok()) << used.status();
    return used.value_or(-1);
  }

  base::FakeClock clock_;
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<Gateway> one_, two_;
  Principal principal_;
  Demand demand_{"m", "p/d", "provisioned", 3};
};

INSTANTIATE_TEST_SUITE_P(Governance, ProvisionedTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

TEST_P(ProvisionedTest, ReckonsWithTheMostAndSettlesToWhatWas) {
  auto first = hold(*one_, 1000, 3000);  // 1,000 + 3 * 3,000 fill it to the brim
  ASSERT_TRUE(first.ok()) << first.status();
  auto more = hold(*two_, 500);
  ASSERT_TRUE(more.ok()) << "full, and not over: " << more.status();
  for (auto* gateway : {one_.get(), two_.get()}) {
    const auto refused = hold(*gateway, 1).status();
    ASSERT_TRUE(refusal_of(refused).has_value()) << refused;
    EXPECT_EQ(refusal_of(refused)->retry_after, milliseconds(500));
    EXPECT_EQ(refusal_of(refused)->kind, RefusalKind::tokens);
  }
  // Cached tokens are free, and an output token costs three.
  one_->admission->settle(*std::move(first), {1000, 400, 800}, 0);
  more = absl::CancelledError("a request that failed used nothing");
  tell();
  EXPECT_EQ(utilisation(*one_), (600 + 2400 - 1000) * 100 / kBrim);
  EXPECT_EQ(utilisation(*two_), utilisation(*one_));
  clock_.advance(seconds(2));
  EXPECT_EQ(utilisation(*two_), 0);
}

TEST_P(ProvisionedTest, ABurstPassesTheBrimOnce) {
  ASSERT_TRUE(call(*one_, 25'000));
  EXPECT_FALSE(call(*one_, 1));
  EXPECT_FALSE(call(*two_, 1));
  tell();
  EXPECT_EQ(utilisation(*two_), 240);
  clock_.advance(milliseconds(13'999));
  EXPECT_FALSE(call(*two_, 1));
  clock_.advance(milliseconds(1));
  EXPECT_TRUE(call(*two_, 1)) << "nothing is left, and nothing is owed";
}

// Callers that all saw room before any of them took it.
TEST_P(ProvisionedTest, WhoeverCameInTogetherDoesNotPassTheBrimTogether) {
  std::vector<absl::StatusOr<Admission::Ticket>> tickets;
  for (int i = 0; i < 20; ++i)
    tickets.push_back((i % 2 == 0 ? *one_ : *two_).begin(principal_, demand_));
  std::int64_t admitted = 0;
  for (std::size_t i = 0; i < tickets.size(); ++i) {
    ASSERT_TRUE(tickets[i].ok());
    if ((i % 2 == 0 ? *one_ : *two_).reserve(*tickets[i], 3000, 0).ok()) admitted += 3000;
  }
  EXPECT_GE(admitted, kBrim);
  EXPECT_LT(admitted, kBrim + 3000);
}

TEST_P(ProvisionedTest, RacingCallersNeverPassWhatWasSold) {
  std::atomic<std::int64_t> used{0};
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      std::mt19937_64 random(20261129 + i);
      for (int j = 0; j < 60; ++j) {
        const auto tokens = static_cast<std::int64_t>(random() % 700 + 1);
        if (call(i % 2 == 0 ? *one_ : *two_, tokens)) used += tokens;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(used, kBrim + 700);
  EXPECT_GT(used, kBrim * 85 / 100);
}

TEST_P(ProvisionedTest, ADeadGatewaysBlockComesBackWithItsLease) {
  ASSERT_TRUE(call(*two_, 100));  // and a spare block
  two_->hand.is_away = true;
  // Nobody gives back what it held idle.
  clock_.advance(seconds(20));
  std::int64_t used = 0;
  while (call(*one_, 10)) used += 10;
  EXPECT_LT(used, kBrim * 95 / 100);
  EXPECT_GT(used, kBrim * 85 / 100);
  clock_.advance(store::kLease - seconds(20));
  used = 0;
  while (call(*one_, 10)) used += 10;
  EXPECT_GE(used, kBrim * 99 / 100) << "all of it";
}

TEST_P(ProvisionedTest, ANewCapacityHoldsAtOnceAndKeepsWhatIsInUse) {
  ASSERT_TRUE(call(*one_, 9'000));
  sell(kRate / 2);
  EXPECT_TRUE(call(*two_, 1'500)) << "over the brim once more, from where nothing is owed";
  EXPECT_FALSE(call(*two_, 1));
  clock_.advance(seconds(10));
  std::int64_t used = 0;
  while (call(*one_, 100) || call(*two_, 100)) used += 100;
  EXPECT_LE(used, kBrim / 2 + 100);
}

// Without its row a provisioned deployment would be a deployment without any limit.
TEST_P(ProvisionedTest, AGatewayThatDoesNotKnowTheThroughputAdmitsNobody) {
  const store::LimitRow row{"deployment", "p/d", "", "provisioned_tokens", 0};
  ASSERT_TRUE(one_->admission->remove_limit(row).ok());
  EXPECT_TRUE(absl::IsUnavailable(one_->begin(principal_, demand_).status()));
}

// Any window of w seconds: the brim, what drains in w, and one request over all gateways.
TEST_P(ProvisionedTest, ASeededStormAdmitsWhatWasBought) {
  constexpr std::int64_t kLargest = 900;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    std::mt19937_64 random(seed);
    const auto below = [&](std::int64_t bound) {
      return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(bound));
    };
    struct Running {
      Gateway* gateway;
      Admission::Ticket ticket;
      std::int64_t tokens;
      std::size_t at;
    };
    std::vector<Running> running;
    std::vector<std::pair<std::int64_t, std::int64_t>> used;  // by millisecond of its beginning
    const auto end = [&](std::size_t i) {
      auto one = std::move(running[i]);
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
      const auto tokens = below(4) == 0 ? below(one.tokens + 1) : one.tokens;
      used[one.at].second = tokens;
      one.gateway->admission->settle(std::move(one.ticket), {tokens, 0, 0}, 0);
    };
    const auto start_ms = clock_.unix_millis();
    auto ticked_ms = start_ms;
    while (clock_.unix_millis() < start_ms + 40'000) {
      clock_.advance(milliseconds(below(120)));
      // A pause, and then everybody at once.
      if (below(150) == 0) clock_.advance(milliseconds(below(6'000)));
      auto& gateway = below(2) == 0 ? *one_ : *two_;
      const auto tokens = below(kLargest) + 1;
      if (auto ticket = hold(gateway, tokens); ticket.ok()) {
        used.emplace_back(clock_.unix_millis(), 0);
        running.push_back({&gateway, *std::move(ticket), tokens, used.size() - 1});
      }
      while (running.size() > 12 || (!running.empty() && below(3) == 0))
        end(static_cast<std::size_t>(below(static_cast<std::int64_t>(running.size()))));
      if (clock_.unix_millis() - ticked_ms < 1000) continue;
      ticked_ms = clock_.unix_millis();
      EXPECT_TRUE(one_->admission->exchange().ok());
      EXPECT_TRUE(two_->admission->exchange().ok());
    }
    while (!running.empty()) end(0);
    std::int64_t all = 0;
    for (std::size_t first = 0; first < used.size(); ++first) {
      all += used[first].second;
      std::int64_t sum = 0;
      for (std::size_t last = first; last < used.size(); ++last) {
        sum += used[last].second;
        const auto window_ms = used[last].first - used[first].first;
        ASSERT_LE(sum * 1000, kBrim * 1000 + kRate / 60 * window_ms + kLargest * 1000)
            << "seed " << seed << ", " << window_ms << " ms";
      }
    }
    EXPECT_GT(all, kRate * 40 / 60 * 7 / 10) << "seed " << seed;
  }
}

}  // namespace
}  // namespace plinth::governance
