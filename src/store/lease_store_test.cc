// Leases of gateways and what they hold under them, on both databases.
#include "store/lease_store.h"

#include <gtest/gtest.h>

#include <thread>

#include "store/ledger_writer.h"
#include "store/limit_store.h"
#include "store/limits.h"
#include "store/scratch_database.h"

namespace plinth::store {
namespace {

// 2026-11-28 00:00 UTC.
constexpr std::int64_t kToday = 1'795'824'000;
constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kLeaseMs = std::chrono::milliseconds(kLease).count();

const QuotaKey kLimit{"project", "p", "m", "parallel_requests", false};
const QuotaKey kBudget{"project", "p", "", "day", true};

class LeaseTest : public testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    auto scratch = ScratchDatabase::make(GetParam());
    ASSERT_TRUE(scratch.ok()) << scratch.status();
    scratch_ = *std::move(scratch);
    auto database = Database::open(scratch_->where());
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
    usage_ = std::make_unique<UsageStore>(*database_);
    limits_ = std::make_unique<LimitStore>(*database_);
    leases_ = std::make_unique<LeaseStore>(*database_, [this](Sql&) { return now_ms_; });
    ASSERT_TRUE(limits_->set_limit({"project", "p", "m", "parallel_requests", 10}).ok());
    ASSERT_TRUE(limits_->set_budget({"project", "p", "day", 9'000, 0, 0}, kToday).ok());
  }
  Lease lease(const std::string& gateway) {
    const auto answer = leases_->exchange({gateway, 0}, {}, none);
    EXPECT_TRUE(answer.ok() && answer->is_new) << answer.status();
    return answer->lease;
  }
  static QuotaChange none(std::size_t, const QuotaState&) { return {}; }
  // What the transaction finds; then the gateway holds so much more.
  QuotaState take(const Lease& lease, const QuotaKey& key, std::int64_t amount) {
    QuotaState found;
    const auto answer = leases_->exchange(lease, std::vector{key}, [&](std::size_t, const auto& s) {
      found = s;
      return QuotaChange{s.held + amount, std::nullopt, std::nullopt};
    });
    EXPECT_TRUE(answer.ok()) << answer.status();
    EXPECT_FALSE(answer->is_new);
    return found;
  }
  LedgerRow row(const std::string& id, std::int64_t amount) const {
    LedgerRow row;
    row.id = id;
    row.time_ms = now_ms_;
    row.organization = "default";
    row.project = "p";
    row.amount_pico = amount;
    return row;
  }

  std::int64_t now_ms_ = kToday * 1000;
  std::unique_ptr<ScratchDatabase> scratch_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<UsageStore> usage_;
  std::unique_ptr<LimitStore> limits_;
  std::unique_ptr<LeaseStore> leases_;
};

INSTANTIATE_TEST_SUITE_P(Store, LeaseTest, testing::ValuesIn(scratch_dialects()),
                         [](const auto& backend) { return dialect_name(backend.param); });

TEST_P(LeaseTest, GatewaysSeeWhatTheOthersHold) {
  const auto a = lease("a"), b = lease("b");
  EXPECT_EQ(take(a, kLimit, 3).limit, 10);
  EXPECT_EQ(take(a, kLimit, 1).held, 3);
  const auto found = take(b, kLimit, 2);
  EXPECT_EQ(found.held, 0);
  EXPECT_EQ(found.held_elsewhere, 4);
  take(b, kLimit, -2);
  EXPECT_EQ(take(a, kLimit, 0).held_elsewhere, 0);
  ASSERT_TRUE(leases_->release(a).ok());
  EXPECT_EQ(take(b, kLimit, 0).held_elsewhere, 0);
}

TEST_P(LeaseTest, ALevelIsKept) {
  const auto a = lease("a");
  const std::vector keys{kLimit};
  std::optional<QuotaState::Level> found;
  for (const std::int64_t level : {5, 7}) {
    ASSERT_TRUE(
        leases_
            ->exchange(a, keys,
                       [&](std::size_t, const auto& state) {
                         found = state.level;
                         return QuotaChange{0, QuotaState::Level{level, now_ms_}, std::nullopt};
                       })
            .ok());
  }
  EXPECT_EQ(found.value().amount, 5);
  EXPECT_EQ(found->filled_ms, now_ms_);
}

TEST_P(LeaseTest, WhoeverFindsALapsedLeaseTakesItsBlocksBack) {
  const auto a = lease("a"), b = lease("b");
  take(a, kLimit, 3);
  take(a, kBudget, 4'000);
  now_ms_ += kLeaseMs - 1;
  EXPECT_EQ(take(b, kLimit, 0).held_elsewhere, 3);
  now_ms_ += 1;
  EXPECT_EQ(take(b, kLimit, 0).held_elsewhere, 0);
  EXPECT_EQ(take(b, kBudget, 0).held_elsewhere, 0);
  // The gateway that slept has a new epoch, and nothing was decided.
  bool decided = false;
  const auto answer = leases_->exchange(a, std::vector{kLimit}, [&](std::size_t, const auto&) {
    decided = true;
    return QuotaChange{};
  });
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->is_new);
  EXPECT_EQ(answer->lease.epoch, a.epoch + 1);
  EXPECT_FALSE(decided);
  EXPECT_EQ(take(answer->lease, kLimit, 0).held, 0);
}

TEST_P(LeaseTest, ALeaseThatNobodyMissedGoesOn) {
  const auto a = lease("a");
  take(a, kLimit, 3);
  now_ms_ += 10 * kLeaseMs;
  EXPECT_EQ(take(a, kLimit, 0).held, 3);
}

TEST_P(LeaseTest, TheOnlyGatewayEndsAllOtherLeases) {
  const auto dead = lease("dead");
  take(dead, kLimit, 3);
  ASSERT_TRUE(leases_->take_over("b").ok());
  EXPECT_EQ(take(lease("b"), kLimit, 0).held_elsewhere, 0);
}

TEST_P(LeaseTest, ALimitThatIsGoneIsNotAskedFor) {
  const auto a = lease("a");
  ASSERT_TRUE(limits_->remove_limit({"project", "p", "m", "parallel_requests", 0}).ok());
  ASSERT_TRUE(limits_->remove_budget({"project", "p", "day", 0, 0, 0}).ok());
  int asked = 0;
  ASSERT_TRUE(leases_
                  ->exchange(a, std::vector{kLimit, kBudget},
                             [&](std::size_t, const auto&) {
                               ++asked;
                               return QuotaChange{};
                             })
                  .ok());
  EXPECT_EQ(asked, 0);
}

TEST_P(LeaseTest, ARowMovesMoneyFromItsBlockToWhatIsSpent) {
  const auto a = lease("a"), b = lease("b");
  take(a, kBudget, 4'000);
  ASSERT_TRUE(usage_->append(std::vector{row("r", 1'000)}, a).ok());
  const auto found = take(b, kBudget, 0);
  EXPECT_EQ(found.spent, 1'000);
  EXPECT_EQ(found.held_elsewhere, 3'000);
  // Again: it is there already.
  ASSERT_TRUE(usage_->append(std::vector{row("r", 1'000)}, a).ok());
  EXPECT_EQ(take(b, kBudget, 0).held_elsewhere, 3'000);
}

TEST_P(LeaseTest, ARowUnderALapsedLeaseIsNotABudgetsToPay) {
  const auto a = lease("a"), b = lease("b");
  take(a, kBudget, 9'000);
  now_ms_ += kLeaseMs;
  EXPECT_EQ(take(b, kBudget, 9'000).held_elsewhere, 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(usage_->append(std::vector{row("r", 1'000)}, a)));
  EXPECT_EQ(take(b, kBudget, 0).spent, 0);
  // Of a group those stand that no budget pays.
  const base::RealClock clock;
  LedgerWriter writer(*usage_, clock);
  auto free = row("free", 0), other = row("other", 1'000);
  other.project = "without";
  std::map<std::string, absl::Status> outcomes;
  for (const auto& one : {row("r", 1'000), free, other}) {
    writer.append(
        one, [&outcomes, id = one.id](const auto& status) { outcomes[id] = status; }, a);
  }
  writer.flush();
  EXPECT_TRUE(absl::IsFailedPrecondition(outcomes["r"])) << outcomes["r"];
  EXPECT_TRUE(outcomes["free"].ok()) << outcomes["free"];
  EXPECT_TRUE(outcomes["other"].ok()) << outcomes["other"];
}

// Whoever takes a lease away waits for the row that is being written under it.
TEST_P(LeaseTest, ALeaseIsNotTakenUnderARow) {
  const auto b = lease("b");
  for (int i = 0; i < 15; ++i) {
    const auto a = lease("a" + std::to_string(i));
    take(a, kBudget, 100);
    std::thread writer([&, i] {
      const auto status = usage_->append(std::vector{row(std::to_string(i), 100)}, a);
      EXPECT_TRUE(status.ok() || absl::IsFailedPrecondition(status)) << status;
    });
    ASSERT_TRUE(leases_->release(a).ok());
    writer.join();
  }
  const auto found = take(b, kBudget, 0);
  EXPECT_EQ(found.held_elsewhere, 0);
  std::int64_t rows = 0;
  ASSERT_TRUE(usage_->each_row("default", 0, INT64_MAX, [&](const auto&) { ++rows; }).ok());
  EXPECT_EQ(found.spent, rows * 100);
}

TEST_P(LeaseTest, ANewPeriodBeginsByTheDatabasesClock) {
  const auto a = lease("a");
  take(a, kBudget, 4'000);
  ASSERT_TRUE(usage_->append(std::vector{row("r", 1'000)}, a).ok());
  now_ms_ += kDay * 1000;
  const auto found = take(a, kBudget, 0);
  EXPECT_EQ(found.spent, 0);
  EXPECT_EQ(found.held, 3'000) << "what requests hold is spent in the new period";
  now_ms_ -= kDay * 1000;
  EXPECT_EQ(take(a, kBudget, 0).spent, 0) << "and the old one stays over";
}

// A gateway whose clock is ahead writes rows of another day: they are spent all the same.
TEST_P(LeaseTest, ARowOfALaterDayIsSpentToday) {
  const auto a = lease("a");
  take(a, kBudget, 4'000);
  auto ahead = row("ahead", 1'000);
  ahead.time_ms += kDay * 1000;
  ASSERT_TRUE(usage_->append(std::vector{ahead}, a).ok());
  EXPECT_EQ(take(a, kBudget, 0).spent, 1'000);
}

TEST_P(LeaseTest, TheDatabaseTellsTheTime) {
  const base::RealClock clock;
  const auto time = database_time(clock);
  std::int64_t told = 0;
  ASSERT_TRUE(database_
                  ->read("time",
                         [&](Sql& sql) {
                           told = time(sql);
                           return absl::OkStatus();
                         })
                  .ok());
  EXPECT_NEAR(static_cast<double>(told), static_cast<double>(clock.unix_millis()), 60'000);
}

}  // namespace
}  // namespace plinth::store
