// Rows of the audit log, on both databases.
#include "store/audit_store.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "store/scratch_database.h"

namespace plinth::store {
namespace {

using testing::ElementsAre;

class AuditStoreTest : public testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    auto scratch = ScratchDatabase::make(GetParam());
    ASSERT_TRUE(scratch.ok()) << scratch.status();
    scratch_ = *std::move(scratch);
    database_ = *Database::open(scratch_->where());
    store_ = std::make_unique<AuditStore>(*database_);
  }
  static AuditRow row(const AuditHead& head) {
    AuditRow row;
    row.index = head.size;
    row.id = fmt::format("id-{}", head.size);
    row.time_ms = 1000 * head.size;
    row.record = "{}";
    row.hash = fmt::format("hash-{}", head.size);
    row.organization = "default";
    row.type = head.size % 2 == 0 ? "project.created" : "project.archived";
    row.project = fmt::format("proj_{}", head.size % 3);
    row.actor = "key";
    row.owner = head.size == 4 ? "robot" : "";
    row.email = head.size == 5 ? "a@b.c" : "";
    row.resources = {"r", fmt::format("r{}", head.size)};
    return row;
  }
  void append(int count) {
    for (int i = 0; i < count; ++i) {
      const auto status = store_->append([](const AuditHead& head) { return row(head); });
      ASSERT_TRUE(status.ok()) << status;
    }
  }
  std::vector<std::int64_t> listed(const AuditFilter& filter, bool more = false) {
    const auto page = store_->list(filter);
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<std::int64_t> indices;
    if (!page.ok()) return indices;
    EXPECT_EQ(page->has_more, more);
    for (const auto& one : page->rows) indices.push_back(one.index);
    return indices;
  }
  static AuditFilter all() {
    AuditFilter filter;
    filter.organization = "default";
    return filter;
  }

  std::unique_ptr<ScratchDatabase> scratch_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<AuditStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Store, AuditStoreTest, testing::ValuesIn(scratch_dialects()),
                         [](const auto& backend) { return dialect_name(backend.param); });

TEST_P(AuditStoreTest, AppendsToTheEndAndReadsInOrder) {
  EXPECT_EQ(store_->head()->size, 0);
  append(7);
  EXPECT_EQ(store_->head()->size, 7);
  EXPECT_EQ(store_->head()->hash, "hash-6");
  const auto rows = *store_->rows(2, 3);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].index, 2);
  EXPECT_EQ(rows[0].record, "{}");
  EXPECT_THAT(rows[2].resources, ElementsAre("r", "r4"));
  EXPECT_TRUE(store_->rows(7, 3)->empty());
}

TEST_P(AuditStoreTest, WhatCannotBeMadeLeavesNothing) {
  append(1);
  const auto status = store_->append([](const AuditHead&) -> absl::StatusOr<AuditRow> {
    return base::invalid_argument("too long");
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->head()->size, 1);
}

TEST_P(AuditStoreTest, ListsFromNewToOldByWhatIsAsked) {
  append(7);
  EXPECT_THAT(listed(all()), ElementsAre(6, 5, 4, 3, 2, 1, 0));
  auto filter = all();
  filter.types = {"project.archived", "login.failed"};
  EXPECT_THAT(listed(filter), ElementsAre(5, 3, 1));
  filter.projects = {"proj_0"};
  EXPECT_THAT(listed(filter), ElementsAre(3));
  filter = all();
  filter.from_ms = 2000;
  filter.before_ms = 5000;
  EXPECT_THAT(listed(filter), ElementsAre(4, 3, 2));
  filter = all();
  filter.actors = {"robot", "nobody"};
  EXPECT_THAT(listed(filter), ElementsAre(4));
  filter.actors = {"key"};
  filter.emails = {"a@b.c"};
  EXPECT_THAT(listed(filter), ElementsAre(5));
  filter = all();
  filter.resources = {"r2", "r6", "' or '1'='1"};
  EXPECT_THAT(listed(filter), ElementsAre(6, 2));
  filter.organization = "other";
  EXPECT_THAT(listed(filter), ElementsAre());
}

TEST_P(AuditStoreTest, PagesGoBothWays) {
  append(7);
  auto filter = all();
  filter.limit = 3;
  EXPECT_THAT(listed(filter, true), ElementsAre(6, 5, 4));
  filter.after = "id-4";
  EXPECT_THAT(listed(filter, true), ElementsAre(3, 2, 1));
  filter.after = "id-1";
  EXPECT_THAT(listed(filter), ElementsAre(0));
  filter.after = "";
  filter.before = "id-1";
  EXPECT_THAT(listed(filter, true), ElementsAre(4, 3, 2)) << "the nearest, in the list's order";
  filter.before = "id-4";
  EXPECT_THAT(listed(filter), ElementsAre(6, 5));
  filter.before = "id-9";
  EXPECT_EQ(store_->list(filter).status().code(), absl::StatusCode::kNotFound);
  filter.before = "id-4";
  filter.organization = "other";
  EXPECT_EQ(store_->list(filter).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(AuditStoreTest, GatewaysThatShareADatabaseKeepOneChain) {
  constexpr int kThreads = 4, kEach = 25;
  const auto other = *Database::open(scratch_->where());
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      AuditStore mine(t % 2 == 0 ? *database_ : *other);
      for (int i = 0; i < kEach; ++i) {
        const auto status = mine.append([](const AuditHead& head) { return row(head); });
        EXPECT_TRUE(status.ok()) << status;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto rows = *store_->rows(0, 2 * kThreads * kEach);
  ASSERT_EQ(rows.size(), std::size_t{kThreads * kEach});
  for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(rows[i].index, static_cast<int>(i));
}

TEST_P(AuditStoreTest, KeepsTheFirstCheckpointOfASize) {
  EXPECT_FALSE(store_->last_checkpoint()->has_value());
  ASSERT_TRUE(store_->insert_checkpoint({5, "five", "s", "f"}).ok());
  ASSERT_TRUE(store_->insert_checkpoint({9, "nine", "s", "f"}).ok());
  ASSERT_TRUE(store_->insert_checkpoint({5, "another", "s", "f"}).ok());
  EXPECT_EQ(store_->last_checkpoint()->value().checkpoint, "nine");
  const auto found = *store_->checkpoints(0, 10);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].checkpoint, "five");
  EXPECT_EQ(store_->checkpoints(5, 10)->size(), 1u);
}

}  // namespace
}  // namespace plinth::store
