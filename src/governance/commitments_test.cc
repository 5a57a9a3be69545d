#include "governance/commitments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "governance/deployment_limits.h"
#include "governance/focus_export.h"
#include "governance/invoice.h"
#include "governance/reports/testing/ledger_fixture.h"
#include "governance/rerating.h"
#include "store/integrity.h"

namespace plinth::governance {
namespace {

constexpr std::int64_t kHour = 3600;
// Of one unit: not a multiple of 3,600, so that broken hours are rounded.
constexpr std::int64_t kPrice = 1'234'567'890'123;

// Two gateways on one database, whose clock tests move.
class CommitmentsTest : public LedgerFixture {
 protected:
  void SetUp() override {
    LedgerFixture::SetUp();
    now_s_ = november_.from_s;
    other_database_ = *store::Database::open(scratch_->where());
    one_ = open(*database_);
    two_ = open(*other_database_);
    put_price({"m", "provisioned", 0, 0, 0, 0, 0, kPrice});
  }
  std::unique_ptr<Commitments> open(store::Database& database) {
    return std::make_unique<Commitments>(
        database, [this](store::Sql&) { return now_s_.load() * 1000 + 999; });
  }
  void hold(std::int64_t units, const std::string& deployment = "d",
            const std::string& model = "m") {
    store::CommitmentSpan span;
    span.project = "proj_a";
    span.deployment = deployment;
    span.model = model;
    span.units = units;
    const auto status = one_->note(span);
    ASSERT_TRUE(status.ok()) << status;
  }
  void charge(Commitments& gateway) {
    const auto until = gateway.charge();
    ASSERT_TRUE(until.ok()) << until.status();
    EXPECT_EQ(*until, now_s_ - now_s_ % kHour);
  }
  std::vector<store::LedgerRow> rows() {
    std::vector<store::LedgerRow> out;
    EXPECT_TRUE(
        store::UsageStore(*database_)
            .each_row("default", 0, INT64_MAX / 2, [&](const auto& row) { out.push_back(row); })
            .ok());
    return out;
  }
  std::int64_t unit_seconds() {
    std::int64_t sum = 0;
    for (const auto& row : rows()) sum += row.choices;
    return sum;
  }

  std::atomic<std::int64_t> now_s_{0};
  std::unique_ptr<store::Database> other_database_;
  std::unique_ptr<Commitments> one_, two_;
};

INSTANTIATE_TEST_SUITE_P(Databases, CommitmentsTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& param) { return store::dialect_name(param.param); });

TEST_P(CommitmentsTest, AnHourIsChargedWhenItIsOverAndOnce) {
  hold(10);
  now_s_ += kHour - 1;
  charge(*one_);
  EXPECT_TRUE(rows().empty());
  now_s_ += 1;
  charge(*two_);
  charge(*one_);
  charge(*two_);
  one_ = open(*database_);
  charge(*one_);
  ASSERT_EQ(rows().size(), 1u);
  const auto row = rows()[0];
  EXPECT_EQ(row.amount_pico, 10 * kPrice) << "to the pico-unit";
  EXPECT_EQ(row.choices, 10 * kHour);
  EXPECT_EQ(row.time_ms, november_.from_s * 1000);
  EXPECT_EQ(row.organization, "default");
  EXPECT_EQ(row.deployment, "proj_a/d");
  EXPECT_EQ(row.service_class, "provisioned");
  EXPECT_EQ(row.kind, "commitment");
  EXPECT_GT(row.price_version, 0);
}

TEST_P(CommitmentsTest, GatewaysThatRaceChargeEachHourOnce) {
  for (int i = 0; i < 5; ++i) hold(i + 1, "d" + std::to_string(i));
  constexpr int kHours = 12;
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  const auto first_s = now_s_.load();
  now_s_ += kHours * kHour;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 5; ++j) failed += (i % 2 == 0 ? *one_ : *two_).charge().ok() ? 0 : 1;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  std::map<std::pair<std::string, std::int64_t>, std::int64_t> seen;
  for (const auto& row : rows()) seen[{row.deployment, row.time_ms / 1000}] += row.choices;
  EXPECT_EQ(seen.size(), 5u * kHours);
  EXPECT_EQ(unit_seconds(), (1 + 2 + 3 + 4 + 5) * kHour * kHours);
  EXPECT_EQ((seen[{"proj_a/d4", first_s + 11 * kHour}]), 5 * kHour);
}

TEST_P(CommitmentsTest, ChangesWithinAnHourAreChargedToTheSecond) {
  now_s_ += 100;
  hold(3);
  now_s_ += 1;
  hold(7);
  hold(8);  // in the same second: what it was at its end
  now_s_ += 1000;
  hold(0);
  hold(0);
  now_s_ += 50;
  hold(2);
  now_s_ += 2 * kHour;
  charge(*one_);
  ASSERT_EQ(rows().size(), 2u);
  const auto left = kHour - 100 - 1 - 1000 - 50;
  EXPECT_EQ(rows()[0].choices, 3 + 8 * 1000 + 2 * left);
  EXPECT_EQ(rows()[0].time_ms, (november_.from_s + 100) * 1000);
  EXPECT_EQ(rows()[0].amount_pico,
            static_cast<std::int64_t>((__int128{rows()[0].choices} * kPrice + kHour / 2) / kHour))
      << "the next pico-unit, as more than half of one is left over";
  EXPECT_EQ(rows()[1].choices, 2 * kHour);
}

TEST_P(CommitmentsTest, AModelThatChangesIsChargedAtItsOwnPrice) {
  put_price({"n", "provisioned", 0, 0, 0, 0, 0, 3600});
  hold(1);
  now_s_ += 600;
  hold(1, "d", "n");
  now_s_ += kHour;
  charge(*one_);
  ASSERT_EQ(rows().size(), 2u);
  EXPECT_EQ(rows()[1].model, "n");
  EXPECT_EQ(rows()[1].amount_pico, 3000);
}

TEST_P(CommitmentsTest, ANewPriceCountsFromItsSecondOn) {
  put_price({"m", "provisioned", november_.from_s + 900, 0, 0, 0, 0, 7200});
  hold(2);
  now_s_ += 2 * kHour;
  charge(*one_);
  ASSERT_EQ(rows().size(), 3u);
  EXPECT_EQ(rows()[0].choices, 2 * 900);
  EXPECT_EQ(rows()[1].choices, 2 * 2700);
  EXPECT_EQ(rows()[1].amount_pico, 2 * 2700 * 2);
  EXPECT_EQ(rows()[2].amount_pico, 2 * 7200);
  // The same rows by the same prices cost the same; by others, what those say.
  std::int64_t hours = 0;
  const auto compare = [&](const ReratedHour& hour) {
    ++hours;
    EXPECT_EQ(hour.before_pico, hour.after_pico);
    EXPECT_EQ(hour.requests, 0);
  };
  ASSERT_TRUE(rerate(*database_, "default", november_, book(), compare).ok());
  EXPECT_EQ(hours, 2);
  const PriceBook dearer({{"", "provisioned", 0, 0, 0, 0, 1, 36'000}});
  __int128 after = 0;
  ASSERT_TRUE(rerate(*database_, "default", november_, dearer, [&](const auto& hour) {
                after += hour.after_pico;
              }).ok());
  EXPECT_EQ(after, 4 * 36'000);
}

// Nobody ran for ten days, more than one transaction charges.
TEST_P(CommitmentsTest, APauseOfDaysIsChargedAfterwards) {
  hold(1);
  now_s_ += 10 * kDay + 17;
  hold(2, "e");
  charge(*two_);
  charge(*one_);
  EXPECT_EQ(rows().size(), 240u);
  EXPECT_EQ(unit_seconds(), 10 * kDay);
  now_s_ += kHour;
  charge(*one_);
  EXPECT_EQ(unit_seconds(), 10 * kDay + kHour + 2 * (kHour - 17));
}

TEST_P(CommitmentsTest, AClockThatStepsBackChargesNothingTwice) {
  hold(5);
  now_s_ += 3 * kHour;
  charge(*one_);
  now_s_ -= 2 * kHour + 30;
  hold(9);
  EXPECT_TRUE(one_->charge().ok());
  now_s_ += 3 * kHour + 30;
  charge(*two_);
  EXPECT_EQ(unit_seconds(), 5 * 3 * kHour + 9 * kHour);
}

TEST_P(CommitmentsTest, StandOnTheInvoiceAndInTheExport) {
  put_price({"m", "provisioned", november_.from_s + kDay, 1, 1, 1, 0, kPrice + 1});
  hold(10);
  now_s_ += kDay + 100;
  hold(11);
  now_s_ += 2 * kHour - 200;
  hold(0);
  now_s_ += kHour;
  charge(*one_);
  ASSERT_TRUE(store::check_all_sums(*database_).ok());
  __int128 exact = 0;
  for (const auto& row : rows()) exact += row.amount_pico;
  const auto invoice = make_invoice(*database_, {"default", november_, ""});
  ASSERT_TRUE(invoice.ok()) << invoice.status();
  ASSERT_EQ(invoice->lines.size(), 1u);
  EXPECT_EQ(invoice->lines[0].meter, "commitment");
  EXPECT_EQ(invoice->lines[0].unit_seconds, unit_seconds());
  EXPECT_EQ(invoice->lines[0].exact_pico, exact);
  std::string csv;
  const auto totals = export_focus(*database_, {"default", november_}, [&](std::string_view text) {
    csv += text;
    return absl::OkStatus();
  });
  ASSERT_TRUE(totals.ok()) << totals.status();
  EXPECT_EQ(totals->billed_pico, __int128{invoice->total_cents} * 10'000'000'000);
  EXPECT_TRUE(check_focus(csv)->empty());
  EXPECT_THAT(csv, testing::HasSubstr("Purchase"));
  EXPECT_THAT(csv, testing::HasSubstr("240,Unit Hours"));
  EXPECT_THAT(csv, testing::HasSubstr("1,Broken Unit Hours"));
}

TEST(Price, ABrokenHourIsRoundedOnce) {
  Price price;
  price.unit_hour_pico = 1800;
  EXPECT_EQ(rate_units(price, 1), 0) << "half of one, to the even neighbour";
  EXPECT_EQ(rate_units(price, 2), 1);
  EXPECT_EQ(rate_units(price, 3), 2);
  EXPECT_EQ(rate_units(price, 3600), 1800);
  price.unit_hour_pico = kUnitHourPicoMax;
  EXPECT_EQ(rate_units(price, kUnitsMax * 3600), kUnitHourPicoMax * kUnitsMax);
}

}  // namespace
}  // namespace plinth::governance
