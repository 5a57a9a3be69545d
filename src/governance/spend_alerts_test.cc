#include "governance/spend_alerts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "governance/governance.h"
#include "governance/limits.h"
#include "store/scratch_database.h"
#include "store/usage_store.h"

namespace plinth::governance {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::int64_t kUnit = 1'000'000'000'000;  // of money, in pico-units
constexpr std::int64_t kNoon = 1'701'345'600;      // 2023-11-30T12:00:00Z

class SpendAlertsTest : public testing::TestWithParam<store::Dialect> {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "alerts_XXXXXX";
    home_ = ::mkdtemp(pattern.data());
    scratch_ = *store::ScratchDatabase::make(GetParam());
    database_ = *store::Database::open(scratch_->where());
    audit_ = *AuditLog::open(home_, *database_, clock_, {"", false});
    alerts_ = make();
  }
  void TearDown() override {
    alerts_.reset();
    audit_.reset();
    database_.reset();
    std::filesystem::remove_all(home_);
  }
  // As a gateway of its own has them. `before` runs between its look and each act that follows.
  std::unique_ptr<SpendAlerts> make(const std::function<void()>& before = [] {}) {
    return std::make_unique<SpendAlerts>(*database_, clock_, [this, before](const auto& act) {
      before();
      return database_->transaction("act", [&](store::Sql&) -> absl::Status {
        AuditEvent event;
        if (auto status = act(event); !status.ok()) return status;
        return event.type.empty() ? absl::OkStatus() : audit_->append(event);
      });
    });
  }
  SpendAlert create(const std::string& project, std::int64_t units) {
    SpendAlert alert{"", "default", project, units * kUnit, {"ada@example.com"}, "[ai]"};
    auto made = alerts_->create(alert);
    EXPECT_TRUE(made.ok()) << made.status();
    return *made;
  }
  void spend(const std::string& project, std::int64_t pico) {
    store::LedgerRow row;
    row.id = "event-" + std::to_string(++rows_);
    row.time_ms = clock_.unix_millis();
    row.organization = "default";
    row.project = project;
    row.api_key = "key";
    row.model = "tiny";
    row.operation = "chat";
    row.amount_pico = pico;
    const auto status = store::UsageStore(*database_).append(std::span(&row, 1));
    ASSERT_TRUE(status.ok()) << status;
  }
  // Ids of the alerts that a look tells of.
  std::vector<std::string> tick(SpendAlerts& alerts) {
    std::vector<std::string> told;
    const auto status = alerts.tick([&](const SpendNotice& notice) {
      notices_.push_back(notice);
      told.push_back(notice.alert.id);
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    return told;
  }
  std::vector<std::string> tick() { return tick(*alerts_); }
  std::vector<AuditEntry> records() {
    store::AuditFilter filter;
    filter.organization = "default";
    filter.limit = 100;
    return audit_->list(filter)->rows;
  }

  std::string home_;
  base::FakeClock clock_{kNoon};
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<AuditLog> audit_;
  std::unique_ptr<SpendAlerts> alerts_;
  std::vector<SpendNotice> notices_;
  int rows_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Governance, SpendAlertsTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

TEST_P(SpendAlertsTest, FiresAtItsThresholdToThePicoAndOnceAMonth) {
  const auto alert = create("proj_1", 5);
  EXPECT_THAT(tick(), IsEmpty());
  spend("proj_1", 5 * kUnit - 1);
  spend("proj_2", 100 * kUnit);
  EXPECT_THAT(tick(), IsEmpty());
  spend("proj_1", 1);
  EXPECT_THAT(tick(), ElementsAre(alert.id));
  ASSERT_EQ(notices_.size(), 1u);
  EXPECT_EQ(notices_[0].spent_pico, 5 * kUnit);
  EXPECT_EQ(notices_[0].alert, alert);
  spend("proj_1", 5 * kUnit);
  EXPECT_THAT(tick(), IsEmpty());
  const auto told = records();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].event.type, "spend_alert.fired");
  EXPECT_EQ(told[0].event.project, "proj_1");
  EXPECT_EQ(told[0].event.resources, std::vector{alert.id});
}

TEST_P(SpendAlertsTest, AnOrganizationsCountsAllProjects) {
  const auto alert = create("", 5);
  spend("proj_1", 3 * kUnit);
  EXPECT_THAT(tick(), IsEmpty());
  spend("proj_2", 2 * kUnit);
  EXPECT_THAT(tick(), ElementsAre(alert.id));
}

// The clock goes over the end of November with money spent on both sides.
TEST_P(SpendAlertsTest, EachMonthCountsForItself) {
  const auto alert = create("proj_1", 5);
  spend("proj_1", 4 * kUnit);
  EXPECT_THAT(tick(), IsEmpty());
  clock_.advance(std::chrono::hours(12));  // 2023-12-01T00:00:00Z
  spend("proj_1", 4 * kUnit);
  EXPECT_THAT(tick(), IsEmpty()) << "four and four of two months are not five";
  spend("proj_1", 1 * kUnit);
  EXPECT_THAT(tick(), ElementsAre(alert.id));
  EXPECT_EQ(notices_[0].month_s, kNoon + 12 * 3600);
  clock_.advance(std::chrono::hours(31 * 24));
  EXPECT_THAT(tick(), IsEmpty());
  spend("proj_1", 5 * kUnit);
  EXPECT_THAT(tick(), ElementsAre(alert.id)) << "again in January";
}

TEST_P(SpendAlertsTest, WhatWasSpentInAMonthsLastSecondsIsSeenInTheNext) {
  const auto alert = create("proj_1", 5);
  clock_.advance(std::chrono::hours(12) - std::chrono::seconds(1));
  spend("proj_1", 5 * kUnit);
  clock_.advance(std::chrono::seconds(2));
  const auto later = create("proj_1", 5);
  EXPECT_THAT(tick(), ElementsAre(alert.id)) << "the other is none of November's";
  EXPECT_EQ(notices_[0].month_s, 1'698'796'800);
  spend("proj_1", 5 * kUnit);
  EXPECT_THAT(tick(), ElementsAre(alert.id, later.id)) << "December's";
}

TEST_P(SpendAlertsTest, TwoGatewaysTellOnce) {
  const auto alert = create("proj_1", 5);
  const auto other = make();
  spend("proj_1", 5 * kUnit);
  EXPECT_THAT(tick(), ElementsAre(alert.id));
  EXPECT_THAT(tick(*other), IsEmpty());
  EXPECT_EQ(records().size(), 1u);
}

TEST_P(SpendAlertsTest, TwoGatewaysThatSeeItAtTheSameTimeTellOnce) {
  const auto alert = create("proj_1", 5);
  std::vector<std::string> told;
  const auto other = make([&] { told = tick(); });
  spend("proj_1", 5 * kUnit);
  EXPECT_THAT(tick(*other), IsEmpty());
  EXPECT_THAT(told, ElementsAre(alert.id));
  EXPECT_EQ(records().size(), 1u);
}

TEST_P(SpendAlertsTest, WhatWasNotDeliveredIsTriedAgainByWhoever) {
  const auto alert = create("proj_1", 5);
  spend("proj_1", 5 * kUnit);
  const auto down = [](const SpendNotice&) { return base::unavailable("down"); };
  EXPECT_TRUE(alerts_->tick(down).ok());
  EXPECT_THAT(tick(), IsEmpty()) << "not within the minute";
  clock_.advance(kNoticeRetry);
  const auto other = make();
  EXPECT_THAT(tick(*other), ElementsAre(alert.id));
  clock_.advance(kNoticeRetry);
  EXPECT_THAT(tick(), IsEmpty());
  EXPECT_EQ(records().size(), 1u);
}

TEST_P(SpendAlertsTest, OneThatCannotBeDeliveredKeepsNoOtherBack) {
  const auto bad = create("proj_1", 1), good = create("proj_1", 2);
  spend("proj_1", 5 * kUnit);
  std::vector<std::string> told;
  EXPECT_TRUE(alerts_
                  ->tick([&](const SpendNotice& notice) -> absl::Status {
                    if (notice.alert.id == bad.id) return base::unavailable("down");
                    told.push_back(notice.alert.id);
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_THAT(told, ElementsAre(good.id));
}

TEST_P(SpendAlertsTest, AnotherThresholdFiresAnew) {
  auto alert = create("proj_1", 5);
  spend("proj_1", 5 * kUnit);
  EXPECT_THAT(tick(), ElementsAre(alert.id));
  alert.threshold_pico = 8 * kUnit;
  ASSERT_TRUE(alerts_->update(alert).ok());
  EXPECT_THAT(tick(), IsEmpty());
  spend("proj_1", 3 * kUnit);
  EXPECT_THAT(tick(), ElementsAre(alert.id));
  ASSERT_TRUE(alerts_->remove(alert).ok());
  EXPECT_TRUE(absl::IsNotFound(alerts_->find("default", "proj_1", alert.id).status()));
  EXPECT_TRUE(absl::IsNotFound(alerts_->remove(alert)));
  EXPECT_TRUE(absl::IsNotFound(alerts_->update(alert)));
}

TEST_P(SpendAlertsTest, SumsBeyond64BitsFire) {
  const auto alert = create("", 1'000'000);
  spend("proj_1", INT64_MAX / 2);
  clock_.advance(std::chrono::seconds(-86'400));
  spend("proj_1", INT64_MAX / 2);
  clock_.advance(std::chrono::seconds(-86'400));
  spend("proj_1", INT64_MAX / 2);
  clock_.advance(std::chrono::seconds(2 * 86'400));
  EXPECT_THAT(tick(), ElementsAre(alert.id));
  EXPECT_EQ(notices_[0].spent_pico, INT64_MAX);
}

TEST_P(SpendAlertsTest, RefusesWhatIsNoAlert) {
  const SpendAlert good{"", "default", "p", kUnit, {"ada@example.com"}, ""};
  auto negative = good, nobody = good, crowd = good, no_address = good, lines = good;
  negative.threshold_pico = -1;
  nobody.recipients.clear();
  crowd.recipients.assign(kAlertRecipientsMax + 1, "ada@example.com");
  no_address.recipients = {"ada@example.com\r\nBcc: eve@example.com"};
  lines.subject_prefix = "a\r\nBcc: eve@example.com";
  for (const auto& bad : {negative, nobody, crowd, no_address, lines}) {
    EXPECT_TRUE(absl::IsInvalidArgument(alerts_->create(bad).status()));
  }
  for (std::int64_t i = 0; i < kSpendAlertsMax; ++i) ASSERT_TRUE(alerts_->create(good).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(alerts_->create(good).status()));
  EXPECT_EQ(alerts_->list("default", "p")->size(), static_cast<std::size_t>(kSpendAlertsMax));
  EXPECT_TRUE(alerts_->list("default", "")->empty());
  EXPECT_TRUE(absl::IsNotFound(
      alerts_->find("elsewhere", "p", alerts_->list("default", "p")->front().id).status()));
}

TEST(SpendNotice, IsALetterWhoseHeadersHoldWhatTheyShould) {
  const SpendNotice notice{
      "alert_1_0_5",
      {"alert_1", "default", "proj_1", 5 * kUnit, {"a@b.c", "d@e.f"}, "[größer]"},
      kNoon,
      6 * kUnit,
      kNoon};
  const auto letter = notice_letter(notice);
  EXPECT_THAT(letter, testing::StartsWith("To: a@b.c,\r\n d@e.f\r\nSubject: =?utf-8?B?"));
  EXPECT_THAT(letter, HasSubstr("Message-ID: <alert_1_0_5@plinth.invalid>\r\n"));
  EXPECT_THAT(letter, HasSubstr("\r\n\r\nIn 2023-11 the project proj_1 has spent 6 USD"));
  for (std::size_t from = 0, to = 0; (to = letter.find("\r\n", from)) != std::string::npos;
       from = to + 2) {
    EXPECT_LE(to - from, 998u);
    EXPECT_THAT(letter.substr(from, to - from), Not(HasSubstr("\n")));
  }
  EXPECT_EQ(*base::parse_json(notice_json(notice))->as_object().if_contains("spent"), "6");
}

}  // namespace
}  // namespace plinth::governance
