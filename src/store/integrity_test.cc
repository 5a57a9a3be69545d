// Sums beside their rows, on both databases; what becomes of rows while the database is away or
// the disk is full.
#include "store/integrity.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <thread>

#include "store/ledger_scan.h"
#include "store/ledger_writer.h"
#include "store/limit_store.h"
#include "store/scratch_database.h"

namespace plinth::store {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kHour = 3600, kDay = 86'400;
// 2026-11-28 00:00 UTC.
constexpr std::int64_t kToday = 1'795'824'000;

LedgerRow row(const std::string& id, std::int64_t time_s) {
  LedgerRow row;
  row.id = id;
  row.time_ms = time_s * 1000 + 7;
  row.organization = "default";
  row.project = "p";
  row.api_key = "k";
  row.model = "m";
  row.operation = "chat";
  row.input_tokens = 10;
  row.cached_tokens = 4;
  row.output_tokens = 3;
  row.device_us = 5'000;
  row.amount_pico = 1'000;
  return row;
}

class IntegrityTest : public testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    auto scratch = ScratchDatabase::make(GetParam());
    ASSERT_TRUE(scratch.ok()) << scratch.status();
    scratch_ = *std::move(scratch);
    auto database = Database::open(scratch_->where());
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
    usage_ = std::make_unique<UsageStore>(*database_);
  }
  void run(const std::string& statement) {
    const auto status = database_->transaction("test", [&](Sql& sql) {
      sql.run(statement);
      return absl::OkStatus();
    });
    ASSERT_TRUE(status.ok()) << status;
  }
  void fill() {
    std::vector<LedgerRow> rows;
    for (int i = 0; i < 40; ++i) {
      auto next = row(fmt::format("r{}", i), kToday - kDay + i * kHour / 2);
      next.project = i % 3 == 0 ? "p" : "q";
      rows.push_back(next);
    }
    ASSERT_TRUE(usage_->append(rows).ok());
  }
  std::int64_t rows_there() {
    std::int64_t count = 0;
    const auto status =
        usage_->each_row("default", 0, INT64_MAX, [&](const LedgerRow&) { ++count; });
    EXPECT_TRUE(status.ok()) << status;
    return count;
  }
  std::unique_ptr<ScratchDatabase> scratch_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<UsageStore> usage_;
};

INSTANTIATE_TEST_SUITE_P(Store, IntegrityTest, testing::ValuesIn(scratch_dialects()),
                         [](const auto& backend) { return dialect_name(backend.param); });

TEST_P(IntegrityTest, CountsBudgetsAgain) {
  LimitStore limits(*database_);
  for (const char* period : {"day", "month"})
    ASSERT_TRUE(limits.set_budget({"project", "p", period, 1'000, 0, 0}, kToday - kDay).ok());
  fill();
  EXPECT_TRUE(check_all_sums(*database_).ok()) << check_all_sums(*database_);
  const auto right = *limits.budgets("project", "p", kToday - kDay);
  ASSERT_GT(right[0].spent_pico, 0);
  run("update budget set spent_pico = spent_pico + 5 where period = 'month'");
  const auto status = check_all_sums(*database_);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("budget of a month of project p: off by 5 pico-units"));
  ASSERT_TRUE(rebuild_all_sums(*database_).ok());
  EXPECT_TRUE(check_all_sums(*database_).ok()) << check_all_sums(*database_);
  const auto again = *limits.budgets("project", "p", kToday - kDay);
  EXPECT_EQ(again[1].spent_pico, right[1].spent_pico);
}

TEST_P(IntegrityTest, FindsSumsThatAreNotTheRows) {
  EXPECT_TRUE(check_newest_sums(*database_).ok()) << "of no rows";
  fill();
  EXPECT_TRUE(check_all_sums(*database_).ok()) << check_all_sums(*database_);
  EXPECT_TRUE(check_newest_sums(*database_).ok());
  run("update usage_hour set amount_pico = amount_pico + 1 where project = 'p'");
  const auto status = check_all_sums(*database_);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("usage_hour"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("off by 0 requests, -1 pico-units"));
  // The newest row is of p.
  EXPECT_EQ(check_newest_sums(*database_).code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(rebuild_sums(*database_, kToday - kDay, kToday + kDay).ok());
  EXPECT_TRUE(check_all_sums(*database_).ok()) << check_all_sums(*database_);
  for (const std::string column :
       {"requests", "input_tokens", "cached_tokens", "output_tokens", "amount_pico", "device_us"}) {
    for (const char* sign : {"+", "-"}) {
      run(fmt::format("update usage_hour set {0} = {0} {1} 1 where project = 'p'", column, sign));
      EXPECT_EQ(check_newest_sums(*database_).code(), absl::StatusCode::kDataLoss) << column;
      ASSERT_TRUE(rebuild_sums(*database_, kToday - kDay, kToday + kDay).ok());
    }
  }
  run("delete from usage_day");
  EXPECT_EQ(check_all_sums(*database_).code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(rebuild_sums(*database_, kToday - kDay, kToday + kDay).ok());
  EXPECT_TRUE(check_all_sums(*database_).ok());
  // Sums of rows that are not there.
  run("insert into organization values ('default', 'default', 1)");
  run("insert into usage_day values ('default', 0, 'm', 'chat', 'standard', 1, 0, 0, 0, 0, 0)");
  EXPECT_EQ(check_all_sums(*database_).code(), absl::StatusCode::kDataLoss);
}

TEST_P(IntegrityTest, SumsOfRowsAreThoseOfTheRollUps) {
  fill();
  auto correction = row("c", kToday - kDay);
  correction.kind = "adjust";
  correction.amount_pico = -300;
  ASSERT_TRUE(usage_->append(std::vector{correction}).ok());
  const auto by_rows = ledger_sums(
      *database_, {"default", kToday - kDay, kToday, kDay, {UsageDimension::model}, "", 0});
  ASSERT_TRUE(by_rows.ok()) << by_rows.status();
  const auto by_days =
      usage_->usage({"default", kToday - kDay, kToday, kDay, {UsageDimension::model}, {}});
  ASSERT_EQ(by_days->size(), 1u);
  ASSERT_EQ(by_rows->size(), 2u) << "the correction is apart";
  EXPECT_EQ((*by_rows)[0].kind, "adjust");
  EXPECT_EQ((*by_rows)[1].rows, (*by_days)[0].requests);
  EXPECT_TRUE((*by_rows)[0].amount_pico + (*by_rows)[1].amount_pico == (*by_days)[0].amount_pico);
  const auto of_q = ledger_sums(*database_, {"default", kToday - kDay, kToday, 0, {}, "q", 0});
  ASSERT_EQ(of_q->size(), 1u);
  EXPECT_EQ((*of_q)[0].rows, 26);
  EXPECT_EQ((*of_q)[0].bucket_start_s, kToday - kDay);
  EXPECT_EQ((*of_q)[0].timed_rows, 26);
  EXPECT_EQ((*of_q)[0].waited_rows, 0);
}

// Answers of calls that end on the writer's thread.
struct Ends {
  std::mutex mutex;
  std::map<std::string, absl::Status> all;
  LedgerWriter::Committed of(const std::string& id) {
    return [this, id](const absl::Status& status) {
      std::lock_guard lock(mutex);
      all[id] = status;
    };
  }
  std::size_t count() {
    std::lock_guard lock(mutex);
    return all.size();
  }
};

TEST_P(IntegrityTest, RowsWaitForADatabaseThatIsAway) {
  base::FakeClock clock;
  LedgerWriter writer(*usage_, clock);
  Ends ends;
  run("alter table usage_hour rename to gone");
  writer.append(row("given up", kToday), ends.of("given up"));
  clock.advance(std::chrono::seconds(21));
  writer.append(row("waits", kToday), ends.of("waits"));
  clock.advance(std::chrono::seconds(10));
  while (ends.count() == 0) std::this_thread::yield();
  // Both were tried; the second is 10 s old.
  EXPECT_EQ(ends.count(), 1u);
  EXPECT_FALSE(ends.all.at("given up").ok());
  run("alter table gone rename to usage_hour");
  writer.flush();
  EXPECT_TRUE(ends.all.at("waits").ok()) << ends.all.at("waits");
  EXPECT_EQ(rows_there(), 1) << "what was given up is not charged";
  EXPECT_TRUE(check_all_sums(*database_).ok());
}

// SQLite counts its pages as a full disk would.
TEST(DiskFull, LosesNothingThatWasTold) {
  const auto scratch = *ScratchDatabase::make(Dialect::sqlite);
  const auto database = *Database::open(scratch->where());
  UsageStore usage(*database);
  base::FakeClock clock;
  const auto limit_pages = [&](std::int64_t more) {
    ASSERT_TRUE(database
                    ->transaction("limit",
                                  [&](Sql& sql) {
                                    const auto pages = sql.first("pragma page_count", {}, 1);
                                    sql.run(fmt::format("pragma max_page_count={}",
                                                        pages->integer(0) + more));
                                    return absl::OkStatus();
                                  })
                    .ok());
  };
  Ends ends;
  LedgerWriter writer(usage, clock);
  limit_pages(8);
  int sent = 0;
  const auto send = [&] {
    for (int i = 0; i < 20; ++i, ++sent) {
      const auto id = fmt::format("r{}", sent);
      writer.append(row(id, kToday + sent), ends.of(id));
    }
  };
  bool full = false;
  while (!full && sent < 10'000) {
    send();
    clock.advance(LedgerWriter::kAwayMax);
    writer.flush();
    full = !ends.all.at(fmt::format("r{}", sent - 1)).ok();
  }
  ASSERT_TRUE(full);
  EXPECT_THAT(ends.all.at(fmt::format("r{}", sent - 1)).ToString(), HasSubstr("full"));
  // Rows that still wait when there is space again are written.
  send();
  EXPECT_TRUE(database->read("t", [](Sql&) { return absl::OkStatus(); }).ok()) << "reads go on";
  limit_pages(10'000);
  writer.flush();
  EXPECT_TRUE(ends.all.at(fmt::format("r{}", sent - 1)).ok());
  std::map<std::string, int> there;
  ASSERT_TRUE(
      usage.each_row("default", 0, INT64_MAX, [&](const LedgerRow& found) { ++there[found.id]; })
          .ok());
  for (const auto& [id, status] : ends.all) {
    EXPECT_EQ(there.contains(id), status.ok()) << id << ": " << status;
  }
  EXPECT_TRUE(check_all_sums(*database).ok());
  EXPECT_TRUE(check_database(scratch->where()).ok());
}

}  // namespace
}  // namespace plinth::store
