// Reports of margin and equity and usage events, on both databases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "governance/device_cost.h"
#include "governance/equity_report.h"
#include "governance/limits.h"
#include "governance/margin_report.h"
#include "governance/money.h"
#include "governance/reports/testing/ledger_fixture.h"
#include "governance/usage_event.h"

namespace plinth::governance {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kHourUs = 3'600'000'000;

using ReportsTest = LedgerFixture;
INSTANTIATE_TEST_SUITE_P(Reports, ReportsTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

// Two devices at 3.60 an hour from the second day on, at 7.20 from the third: by hand.
TEST_P(ReportsTest, CostIsDeviceTimeByItsPriceOfTheTime) {
  store::CostStore costs(*database_);
  ASSERT_TRUE(costs.insert({november_.from_s + kDay, 3'600'000'000'000, 2}).ok());
  ASSERT_TRUE(costs.insert({november_.from_s + 2 * kDay, 7'200'000'000'000, 2}).ok());
  auto early = request("early", november_.from_s + 5);
  auto second = request("second", november_.from_s + kDay);
  auto third = request("third", november_.from_s + 2 * kDay + 5);
  auto unmeasured = request("unmeasured", november_.from_s + 2 * kDay + 6);
  early.device_us = second.device_us = kHourUs;
  third.device_us = kHourUs / 2;
  third.project = "proj_b";
  append({early, second, third, unmeasured});
  const auto report =
      make_margin_report(*database_, "default", november_, november_.from_s + 3 * kDay);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->lines.size(), 2u);
  EXPECT_EQ(report->lines[0].requests, 3);
  EXPECT_EQ(report->lines[0].timed_requests, 2);
  EXPECT_EQ(format_money(report->lines[0].cost_pico), "3.6") << "nothing before it was declared";
  EXPECT_EQ(format_money(report->lines[1].cost_pico), "3.6");
  EXPECT_EQ(report->uncosted_us, kHourUs);
  // 2 devices * 24 h at each price.
  EXPECT_EQ(format_money(report->capacity_pico), "518.4");
  EXPECT_TRUE(report->capacity_us == __int128{96} * kHourUs);
  EXPECT_EQ(format_money(report->idle_pico()), "511.2");
  EXPECT_NEAR(report->utilisation(), 1.5 / 96, 1e-9);
  EXPECT_TRUE(report->total.price_pico == __int128{early.amount_pico} + second.amount_pico +
                                              third.amount_pico + unmeasured.amount_pico);
  const auto json = base::to_json(to_json(*report));
  EXPECT_THAT(json, HasSubstr(R"("idle_cost":"511.2")"));
  EXPECT_THAT(json,
              HasSubstr("sum of amount_pico of rows of the ledger of default from 2026-11-01"));
  const auto html = to_html("Margin <2026-11>", to_tables(*report));
  EXPECT_THAT(html, HasSubstr("<td>Beta &#34;two&#34;</td>"));
  EXPECT_THAT(html, HasSubstr("Margin &lt;2026-11&gt;"));
  EXPECT_THAT(html, testing::Not(HasSubstr("<script")));
}

TEST_P(ReportsTest, NoCostIsDeclared) {
  append({request("a", november_.from_s)});
  const auto report = make_margin_report(*database_, "default", november_, november_.to_s);
  EXPECT_EQ(report->utilisation(), 0);
  EXPECT_TRUE(report->idle_pico() == 0);
  EXPECT_EQ(report->total.requests, 1);
}

TEST(DeviceCost, HasBounds) {
  EXPECT_TRUE(check_device_cost({3600, 0, 1}).ok());
  EXPECT_FALSE(check_device_cost({3601, 1, 1}).ok());
  EXPECT_FALSE(check_device_cost({0, -1, 1}).ok());
  EXPECT_FALSE(check_device_cost({0, kDeviceHourPicoMax + 1, 1}).ok());
  EXPECT_FALSE(check_device_cost({0, 1, 0}).ok());
}

TEST(JainIndex, IsOneOfEqualsAndTheInverseOfManyOfOne) {
  EXPECT_EQ(jain_index(std::vector<double>{3, 3, 3}), 1);
  EXPECT_DOUBLE_EQ(jain_index(std::vector<double>{5, 0, 0, 0}), 0.25);
  EXPECT_DOUBLE_EQ(jain_index(std::vector<double>{1, 3}), 16.0 / 20);
  EXPECT_EQ(jain_index(std::vector<double>{0, 0}), 1);
  EXPECT_EQ(jain_index({}), 1);
}

TEST_P(ReportsTest, EquitySharesWhatWasUsed) {
  auto slow = request("slow", november_.from_s);
  slow.queue_us = 11'000'000;
  slow.device_us = 3'000;
  auto exact = request("exact", november_.from_s + 1);
  exact.queue_us = 10'000'000;
  exact.service_class = "batch";
  exact.device_us = 1'000;
  exact.project = "proj_b";
  exact.output_tokens = 2'100;
  auto credit = request("credit", november_.from_s + 2);
  credit.kind = "credit";
  append({slow, exact, credit});
  const auto report = make_equity_report(*database_, "default", november_, 10'000'000);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->classes.size(), 2u);
  EXPECT_EQ(report->classes[0].id, "batch");
  EXPECT_EQ(report->classes[0].starved, 0) << "the bound itself is no starvation";
  EXPECT_EQ(report->classes[1].starved, 1);
  EXPECT_EQ(report->total.requests, 2);
  ASSERT_EQ(report->projects.size(), 2u);
  EXPECT_EQ(report->projects[0].tokens, 1'050);
  EXPECT_EQ(report->projects[1].tokens, 3'100);
  EXPECT_DOUBLE_EQ(report->jain_device, 16.0 / 20);
  EXPECT_DOUBLE_EQ(report->jain_tokens,
                   4'150.0 * 4'150 / (2 * (1'050.0 * 1'050 + 3'100.0 * 3'100)));
  EXPECT_THAT(base::to_json(to_json(*report)), HasSubstr("queue_us above 10 s"));
}

TEST_P(ReportsTest, AUsageEventIsACloudEvent) {
  const auto row = request("req_1", november_.from_s);
  const auto event = to_cloud_event(row, "urn:plinth:home", DeviceCosts({}));
  EXPECT_EQ(event.at("specversion").as_string(), "1.0");
  EXPECT_EQ(event.at("id").as_string(), "req_1");
  EXPECT_EQ(event.at("source").as_string(), "urn:plinth:home");
  EXPECT_EQ(event.at("type").as_string(), "plinth.usage.settle");
  EXPECT_EQ(event.at("subject").as_string(), "proj_a");
  EXPECT_EQ(event.at("time").as_string(), "2026-11-01T00:00:00.000Z");
  const auto& data = event.at("data").as_object();
  EXPECT_EQ(data.at("input_cached_tokens").as_int64(), 400);
  EXPECT_TRUE(data.at("user_id").is_null());
  EXPECT_EQ(data.at("amount").as_object().at("value").as_string(), "0.00150000005");
  EXPECT_TRUE(data.at("cost").is_null());
}

TEST(DeviceCosts, AreThoseOfTheTime) {
  const DeviceCosts costs({{3600, 7, 1}, {7200, 7'200'000'000'000, 1}});
  EXPECT_FALSE(costs.cost_pico(kHourUs, 3599).has_value());
  EXPECT_EQ(format_money(*costs.cost_pico(kHourUs / 2, 7200)), "3.6");
  EXPECT_TRUE(*costs.cost_pico(kHourUs / 2, 7199) == 4) << "3.5 to the even one";
  EXPECT_TRUE(*costs.cost_pico(kHourUs / 14, 3600) == 0);
  auto row = store::LedgerRow();
  row.time_ms = 7'200'000;
  row.device_us = kHourUs;
  const auto event = to_cloud_event(row, "s", costs);
  EXPECT_EQ(event.at("data").at("cost").at("value").as_string(), "7.2");
}

}  // namespace
}  // namespace plinth::governance
