// The ledger, its sums and its budgets, on both databases.
#include "store/usage_store.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

#include "store/ledger_writer.h"
#include "store/limit_store.h"
#include "store/scratch_database.h"

namespace plinth::store {
namespace {

constexpr std::int64_t kDay = 86'400;
// 2026-11-28 00:00 UTC.
constexpr std::int64_t kToday = 1'795'824'000;

class UsageTest : public testing::TestWithParam<Dialect> {
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
  }
  std::vector<LedgerRow> rows() {
    std::vector<LedgerRow> all;
    const auto status = usage_->each_row("default", 0, INT64_MAX,
                                         [&](const LedgerRow& row) { all.push_back(row); });
    EXPECT_TRUE(status.ok()) << status;
    return all;
  }
  std::unique_ptr<ScratchDatabase> scratch_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<UsageStore> usage_;
  std::unique_ptr<LimitStore> limits_;
};

INSTANTIATE_TEST_SUITE_P(Store, UsageTest, testing::ValuesIn(scratch_dialects()),
                         [](const auto& backend) { return dialect_name(backend.param); });

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
  row.amount_pico = 1'000;
  return row;
}

TEST_P(UsageTest, ARowIsAppendedOnce) {
  const std::vector<LedgerRow> first{row("a", kToday), row("b", kToday), row("a", kToday)};
  ASSERT_TRUE(usage_->append(first).ok());
  ASSERT_TRUE(usage_->append(first).ok());
  const auto all = rows();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].id, "a");
  EXPECT_EQ(all[0].time_ms, kToday * 1000 + 7);
  EXPECT_EQ(all[0].operation, "chat");
  EXPECT_EQ(all[0].cached_tokens, 4);
  EXPECT_EQ(all[0].amount_pico, 1'000);
  const auto sums = usage_->usage({"default", kToday, kToday + kDay, kDay, {}, {}});
  ASSERT_TRUE(sums.ok()) << sums.status();
  ASSERT_EQ(sums->size(), 1u);
  EXPECT_EQ((*sums)[0].requests, 2);
  EXPECT_EQ((*sums)[0].input_tokens, 20);
}

TEST_P(UsageTest, MonthsHaveTablesOfTheirOwn) {
  const std::vector<LedgerRow> across{row("old", kToday - 40 * kDay),
                                      row("new", kToday + 40 * kDay), row("now", kToday)};
  ASSERT_TRUE(usage_->append(across).ok());
  const auto all = rows();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].id, "old");
  EXPECT_EQ(all[2].id, "new");
  std::int64_t months = 0;
  ASSERT_TRUE(database_
                  ->read("count",
                         [&](Sql& sql) {
                           months = sql.first(
                                           "select count(*) from ledger_month where month like "
                                           "'20%'",
                                           {}, 1)
                                        ->integer(0);
                           return absl::OkStatus();
                         })
                  .ok());
  EXPECT_EQ(months, 3);
}

// Sums of any grouping, bucket and filter are those of the rows themselves.
TEST_P(UsageTest, SumsAreTheLedgers) {
  std::mt19937_64 random(20261128);
  const auto one_of = [&](std::initializer_list<const char*> names) {
    return std::string(names.begin()[random() % names.size()]);
  };
  std::vector<LedgerRow> all;
  for (int i = 0; i < 600; ++i) {
    auto next =
        row(fmt::format("r{}", i), kToday + static_cast<std::int64_t>(random() % (3 * kDay)));
    next.organization = one_of({"default", "default", "other"});
    next.project = one_of({"p", "q", "r"});
    next.api_key = one_of({"k", "l"});
    next.model = one_of({"m", "n"});
    next.operation = one_of({"chat", "embedding"});
    next.user_id = one_of({"", "u"});
    next.input_tokens = static_cast<std::int64_t>(random() % 1000);
    next.output_tokens = static_cast<std::int64_t>(random() % 100);
    next.amount_pico = static_cast<std::int64_t>(random() % 100'000'000'000'000'000);
    all.push_back(next);
  }
  for (std::size_t at = 0; at < all.size(); at += 150) {
    ASSERT_TRUE(usage_->append(std::span(all).subspan(at, 150)).ok());
  }
  using D = UsageDimension;
  const std::vector<std::vector<D>> groupings{
      {}, {D::model}, {D::project}, {D::api_key, D::model}, {D::user_id, D::operation, D::project}};
  for (const std::int64_t bucket : {std::int64_t{60}, std::int64_t{3600}, kDay}) {
    for (const auto& group_by : groupings) {
      for (const bool filtered : {false, true}) {
        UsageQuery query{"default", kToday + kDay, kToday + 3 * kDay, bucket, group_by, {}};
        if (filtered) query.filters = {{D::project, {"p", "r"}}, {D::operation, {"chat"}}};
        std::map<std::pair<std::int64_t, std::vector<std::string>>,
                 std::tuple<std::int64_t, std::int64_t, __int128>>
            expected;
        for (const auto& one : all) {
          const auto second = one.time_ms / 1000;
          if (one.organization != "default" || second < query.start_s || second >= query.end_s)
            continue;
          if (filtered && (one.project == "q" || one.operation != "chat")) continue;
          std::vector<std::string> group;
          for (const auto dimension : group_by) {
            group.push_back(dimension == D::model     ? one.model
                            : dimension == D::project ? one.project
                            : dimension == D::api_key ? one.api_key
                            : dimension == D::user_id ? one.user_id
                                                      : one.operation);
          }
          auto& [requests, input, amount] = expected[{second - second % bucket, group}];
          requests += 1;
          input += one.input_tokens;
          amount += one.amount_pico;
        }
        const auto sums = usage_->usage(query);
        ASSERT_TRUE(sums.ok()) << sums.status();
        ASSERT_EQ(sums->size(), expected.size()) << bucket;
        for (const auto& sum : *sums) {
          const auto& [requests, input, amount] = expected.at({sum.bucket_start_s, sum.group});
          EXPECT_EQ(sum.requests, requests);
          EXPECT_EQ(sum.input_tokens, input);
          EXPECT_TRUE(sum.amount_pico == amount) << "sums of money beyond 64 bits";
        }
      }
    }
  }
}

TEST_P(UsageTest, ACorrectionIsNoRequest) {
  auto credit = row("c", kToday);
  credit.kind = "credit";
  credit.input_tokens = credit.cached_tokens = credit.output_tokens = 0;
  credit.amount_pico = -400;
  ASSERT_TRUE(usage_->append(std::vector{row("a", kToday), credit}).ok());
  for (const std::int64_t bucket : {std::int64_t{60}, kDay}) {
    const auto sums = usage_->usage({"default", kToday, kToday + kDay, bucket, {}, {}});
    ASSERT_EQ(sums->size(), 1u);
    EXPECT_EQ((*sums)[0].requests, 1);
    EXPECT_TRUE((*sums)[0].amount_pico == 600);
  }
}

TEST_P(UsageTest, BudgetsKnowWhatIsSpent) {
  ASSERT_TRUE(usage_->append(std::vector{row("before", kToday - kDay), row("a", kToday)}).ok());
  const std::int64_t now = kToday + 60;
  for (const char* period : {"day", "month"}) {
    ASSERT_TRUE(limits_->set_budget({"project", "p", period, 9'000, 0, 0}, now).ok());
  }
  ASSERT_TRUE(limits_->set_budget({"organization", "default", "month", 9'000, 0, 0}, now).ok());
  auto other = row("b", kToday + 61);
  other.project = "q";
  ASSERT_TRUE(usage_->append(std::vector{row("c", kToday + 61), other}).ok());
  auto budgets = limits_->budgets("project", "p", now);
  ASSERT_TRUE(budgets.ok()) << budgets.status();
  ASSERT_EQ(budgets->size(), 2u);
  EXPECT_EQ((*budgets)[0].spent_pico, 2'000) << "today";
  EXPECT_EQ((*budgets)[1].spent_pico, 3'000) << "this month";
  EXPECT_EQ((*limits_->budgets("organization", "default", now))[0].spent_pico, 4'000);
  // A new limit forgets nothing.
  ASSERT_TRUE(limits_->set_budget({"project", "p", "day", 5'000, 0, 0}, now).ok());
  budgets = limits_->budgets("project", "p", now);
  EXPECT_EQ((*budgets)[0].limit_pico, 5'000);
  EXPECT_EQ((*budgets)[0].spent_pico, 2'000);
  // The next day starts anew, and knows what came in it before anybody looked.
  ASSERT_TRUE(usage_->append(std::vector{row("d", kToday + kDay + 5)}).ok());
  budgets = limits_->budgets("project", "p", kToday + kDay + 9);
  EXPECT_EQ((*budgets)[0].spent_pico, 1'000);
  EXPECT_EQ((*budgets)[1].spent_pico, 4'000);
  // A clock that steps back does not open the old day again.
  budgets = limits_->budgets("project", "p", kToday);
  EXPECT_EQ((*budgets)[0].spent_pico, 1'000);
}

// What is spent is counted while rows come in from everywhere.
TEST_P(UsageTest, BudgetsMissNoRow) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 40; ++i) {
        const auto status =
            usage_->append(std::vector{row(fmt::format("{}-{}", t, i), kToday + i * 60)});
        EXPECT_TRUE(status.ok()) << status;
      }
    });
  }
  ASSERT_TRUE(limits_->set_budget({"project", "p", "day", 9'000, 0, 0}, kToday).ok());
  for (auto& thread : threads) thread.join();
  EXPECT_EQ((*limits_->budgets("project", "p", kToday))[0].spent_pico, 160 * 1'000);
}

TEST_P(UsageTest, PricesHaveVersions) {
  EXPECT_EQ(*limits_->insert_price({"m", "standard", 0, 1, 2, 3, 0}), 1);
  EXPECT_EQ(*limits_->insert_price({"m", "standard", 100, 4, 5, 6, 0}), 2);
  EXPECT_EQ(limits_->insert_price({"m", "standard", 100, 7, 8, 9, 0}).status().code(),
            absl::StatusCode::kAlreadyExists);
  const auto prices = limits_->prices();
  ASSERT_EQ(prices->size(), 2u);
  EXPECT_EQ((*prices)[1].cached_pico, 5);
  EXPECT_EQ((*prices)[1].version, 2);
}

TEST_P(UsageTest, WriterCommitsInGroups) {
  const base::RealClock clock;
  std::atomic<int> committed{0};
  {
    LedgerWriter writer(*usage_, clock);
    for (int i = 0; i < 500; ++i) {
      writer.append(row(fmt::format("r{}", i), kToday), [&](const absl::Status& status) {
        EXPECT_TRUE(status.ok()) << status;
        ++committed;
      });
    }
    writer.flush();
    EXPECT_EQ(committed, 500);
    writer.append(row("last", kToday), [&](const absl::Status&) { ++committed; });
  }
  EXPECT_EQ(committed, 501) << "the end waits for what was appended";
  EXPECT_EQ(rows().size(), 501u);
}

}  // namespace
}  // namespace plinth::store
