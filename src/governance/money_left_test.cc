#include "governance/money_left.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>

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
  absl::Status check(std::int64_t units, std::int64_t time_s = kNoon) {
    return check_money_left(*limits_, "org", "proj", units * kUnit, time_s);
  }

  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::LimitStore> limits_;
  int rows_ = 0;
};

TEST_P(MoneyLeftTest, RefusesWhatABudgetOfTheProjectOrItsOrganizationHasNoRoomFor) {
  EXPECT_TRUE(check(1'000).ok());
  set("organization", "org", 10);
  set("project", "proj", 4);
  set("project", "another", 1);
  EXPECT_TRUE(check(4).ok());
  const auto refused = check(5);
  ASSERT_TRUE(refusal_of(refused).has_value()) << refused;
  EXPECT_EQ(refusal_of(refused)->kind, RefusalKind::budget);
  EXPECT_THAT(base::message(refused), testing::HasSubstr("project proj a day is 4"));
  EXPECT_THAT(base::message(check(11)), testing::HasSubstr("organization org a day is 10"));
  spend(3);
  EXPECT_TRUE(check(1).ok());
  EXPECT_FALSE(check(2).ok());
}

TEST_P(MoneyLeftTest, WhatIsUsedUpRefusesAnythingUntilThePeriodEnds) {
  set("project", "proj", 4);
  spend(4);
  EXPECT_TRUE(refusal_of(check(0)).has_value());
  EXPECT_TRUE(check(0, kNoon + 86'400).ok());
}

INSTANTIATE_TEST_SUITE_P(Governance, MoneyLeftTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

}  // namespace
}  // namespace plinth::governance
