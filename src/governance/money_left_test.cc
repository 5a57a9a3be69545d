#include "governance/money_left.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>

#include "governance/limits.h"
#include "governance/refusal.h"
#include "store/scratch_database.h"
#include "store/usage_store.h"

namespace plinth::governance {
namespace {

constexpr std::int64_t kUnit = 1'000'000'000'000;  // of money, in pico-units
constexpr std::int64_t kNoon = 1'701'345'600;      // 2023-11-30T12:00:00Z

class MoneyLeftTest : public testing::TestWithParam<store::Dialect> {
 protected:
  void SetUp() override {
    scratch_ = *store::ScratchDatabase::make(GetParam());
    database_ = *store::Database::open(scratch_->where());
    limits_ = std::make_unique<store::LimitStore>(*database_);
  }
  void set(const std::string& kind, const std::string& scope, std::int64_t units) {
    ASSERT_TRUE(limits_->set_budget({kind, scope, "day", units * kUnit}, kNoon).ok());
  }
  void spend(std::int64_t units) {
    store::LedgerRow row;
    row.id = "event-" + std::to_string(++rows_);
    row.organization = "org";
    row.project = "proj";
    row.api_key = "key";
    row.model = "tiny";
    row.operation = "chat";
    row.time_ms = kNoon * 1000;
    row.amount_pico = units * kUnit;
    ASSERT_TRUE(store::UsageStore(*database_).append(std::span(&row, 1)).ok());
  }
  absl::Status check(std::int64_t time_s = kNoon) {
    return check_money_left(*limits_, "org", "proj", time_s);
  }

  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::LimitStore> limits_;
  int rows_ = 0;
};

TEST_P(MoneyLeftTest, ABudgetThatIsUsedUpRefusesUntilItsPeriodEnds) {
  EXPECT_TRUE(check().ok());
  set("organization", "org", 10);
  set("project", "proj", 4);
  set("project", "another", 0);
  spend(3);
  EXPECT_TRUE(check().ok());
  spend(1);
  const auto refused = check();
  ASSERT_TRUE(refusal_of(refused).has_value()) << refused;
  EXPECT_EQ(refusal_of(refused)->kind, RefusalKind::budget);
  EXPECT_THAT(base::message(refused), testing::HasSubstr("project proj a day is 4"));
  EXPECT_TRUE(check(kNoon + 86'400).ok());
}

TEST_P(MoneyLeftTest, TheOrganizationsBudgetRefusesToo) {
  set("organization", "org", 4);
  spend(4);
  EXPECT_THAT(base::message(check()), testing::HasSubstr("organization org a day is 4"));
}

class HoldMoneyTest : public MoneyLeftTest {
 protected:
  void SetUp() override {
    MoneyLeftTest::SetUp();
    leases_ = std::make_unique<store::LeaseStore>(*database_, store::database_time(clock_));
    ASSERT_TRUE(limits_->insert_price({"", "training", 0, kUnit, 0, 0, 0}).ok());
  }
  void open() {
    admission_ = *Admission::create(*limits_, *leases_, clock_, {"gateway", false});
    admission_->start();
  }
  absl::StatusOr<Admission::Ticket> hold(std::int64_t units) {
    Principal payer;
    payer.organization = "org";
    payer.project = "proj";
    Demand demand{"tiny"};
    demand.service_class = "training";
    TokenCount most;
    most.input = units;
    return hold_money(*admission_, payer, demand, most);
  }

  base::RealClock clock_;
  std::unique_ptr<store::LeaseStore> leases_;
  std::unique_ptr<Admission> admission_;
};

TEST_P(HoldMoneyTest, WhatOneHoldsNobodyElseGets) {
  set("project", "proj", 10);
  set("organization", "org", 100);
  open();
  auto first = hold(7);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = hold(4).status();
  ASSERT_TRUE(refusal_of(second).has_value()) << second;
  EXPECT_THAT(base::message(second),
              testing::HasSubstr("7 reserved by requests and jobs in progress. 4 would"));
  EXPECT_TRUE(hold(3).ok());
  first = absl::CancelledError("it is over");
  EXPECT_TRUE(hold(10).ok());
}

TEST_P(HoldMoneyTest, LimitsOfRequestsDoNotCountIt) {
  ASSERT_TRUE(limits_->set_limit({"project", "proj", "tiny", "requests_per_minute", 1}).ok());
  ASSERT_TRUE(limits_->set_limit({"project", "proj", "", "tokens_per_minute", 5}).ok());
  open();
  EXPECT_TRUE(hold(7).ok());
  EXPECT_TRUE(hold(7).ok());
}

TEST_P(HoldMoneyTest, MoreTokensThanAPriceCanCountAreNamed) {
  open();
  EXPECT_EQ(hold(kTokensMax + 1).status().code(), absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Governance, MoneyLeftTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });
INSTANTIATE_TEST_SUITE_P(Governance, HoldMoneyTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

}  // namespace
}  // namespace plinth::governance
