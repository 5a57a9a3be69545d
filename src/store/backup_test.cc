// Copies taken while rows come in, and what is made of them, on both databases.
#include "store/backup.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "base/file.h"
#include "store/content_rows.h"
#include "store/cost_store.h"
#include "store/data_key_store.h"
#include "store/integrity.h"
#include "store/migrations.h"
#include "store/program.h"
#include "store/scratch_database.h"
#include "store/usage_store.h"

namespace plinth::store {
namespace {

using testing::HasSubstr;

LedgerRow row(int number) {
  LedgerRow row;
  row.id = fmt::format("r{:05}", number);
  // 2026-11-28 00:00 UTC, a row each 50 s.
  row.time_ms = 1'795'824'000'000 + std::int64_t{number} * 50'000;
  row.organization = "default";
  row.project = fmt::format("p{}", number % 5);
  row.api_key = "k";
  row.model = "m";
  row.operation = "chat";
  row.input_tokens = 10;
  row.amount_pico = 1'000 + number;
  return row;
}

class BackupTest : public testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    scratch_ = *ScratchDatabase::make(GetParam());
    target_ = *ScratchDatabase::make(GetParam());
    folder_ = *ScratchDatabase::make(Dialect::sqlite);
    auto database = Database::open(scratch_->where());
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
    usage_ = std::make_unique<UsageStore>(*database_);
  }
  std::string file(const std::string& name) const {
    return std::filesystem::path(folder_->where()).parent_path() / name;
  }
  std::unique_ptr<ScratchDatabase> scratch_, target_, folder_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<UsageStore> usage_;
};

// Neither as rows nor in pages that were freed.
TEST_P(BackupTest, HoldsNoDataKeys) {
  const std::string wrapped(160, 'e');
  DataKeyStore keys(*database_);
  ASSERT_TRUE(
      keys.insert({std::string(32, 'a'), "org", "", wrapped, std::string(32, 'b'), 1}).ok());
  ASSERT_TRUE(keys.insert_shredded({std::string(32, 'c'), "org", "p", "proof", 1}).ok());
  const auto copy = copy_database(scratch_->where(), file("copy"));
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ(base::read_file(file("copy"), 64u << 20)->find(wrapped), std::string::npos);
  ASSERT_TRUE(restore_database(*copy, file("copy"), target_->where()).ok());
  const auto restored = *Database::open(target_->where());
  EXPECT_TRUE(DataKeyStore(*restored).all()->empty());
  // Tombstones stay with the data.
  EXPECT_EQ(DataKeyStore(*restored).shredded()->size(), 1u);
  EXPECT_EQ(keys.all()->size(), 1u);
}

// Of the same moment as the copy, whatever comes meanwhile.
TEST_P(BackupTest, NamesTheContentOfItsMoment) {
  DataKeyStore keys(*database_);
  const std::string key(32, 'a');
  ASSERT_TRUE(keys.insert({key, "org", "", "ee", std::string(32, 'b'), 1}).ok());
  ContentRows content(*database_);
  std::atomic<int> durable{0};
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      const std::string digest = fmt::format("{:064x}", i);
      ASSERT_TRUE(
          content.insert({fmt::format("file-{:05}", i), "org", "", "file", 1, digest, key, 1})
              .ok());
      durable = i + 1;
    }
  });
  while (durable < 3) std::this_thread::yield();
  std::vector<CopiedContent> named;
  const auto copy = copy_database(scratch_->where(), file("copy"), &named);
  stop = true;
  writer.join();
  ASSERT_TRUE(copy.ok()) << copy.status();
  ASSERT_GE(named.size(), 3u);
  EXPECT_EQ(named[2], (CopiedContent{"file-00002", fmt::format("{:064x}", 2)}));
  ASSERT_TRUE(restore_database(*copy, file("copy"), target_->where()).ok());
  const auto restored = *Database::open(target_->where());
  const auto rows = *ContentRows(*restored).batch("", "", 100'000);
  ASSERT_EQ(rows.size(), named.size());
  EXPECT_EQ(rows.back().id, named.back().id);
}

INSTANTIATE_TEST_SUITE_P(Store, BackupTest, testing::ValuesIn(scratch_dialects()),
                         [](const auto& backend) { return dialect_name(backend.param); });

TEST_P(BackupTest, TakenDuringWritesItIsOneMoment) {
  std::atomic<int> durable{0};
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int at = 0; !stop; at += 7) {
      std::vector<LedgerRow> rows;
      for (int i = at; i < at + 7; ++i) rows.push_back(row(i));
      ASSERT_TRUE(usage_->append(rows).ok());
      durable = at + 7;
    }
  });
  while (durable < 70) std::this_thread::yield();
  const int before = durable;
  const auto copy = copy_database(scratch_->where(), file("copy"));
  stop = true;
  writer.join();
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ(copy->schema_version, newest_schema_version());
  ASSERT_TRUE(restore_database(*copy, file("copy"), target_->where()).ok());

  const auto restored = Database::open_present(target_->where());
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_TRUE(check_all_sums(**restored).ok()) << check_all_sums(**restored);
  std::set<std::string> there;
  ASSERT_TRUE(UsageStore(**restored)
                  .each_row("default", 0, INT64_MAX,
                            [&](const LedgerRow& found) { there.insert(found.id); })
                  .ok());
  EXPECT_EQ(there.size() % 7, 0u) << "whole transactions";
  for (int i = 0; i < before; ++i) EXPECT_TRUE(there.contains(row(i).id)) << i;
  // It is a database like any other.
  ASSERT_TRUE(UsageStore(**restored).append(std::vector{row(99'000)}).ok());
  EXPECT_TRUE(check_all_sums(**restored).ok());
}

TEST_P(BackupTest, NothingIsOverwritten) {
  ASSERT_TRUE(usage_->append(std::vector{row(1)}).ok());
  const auto copy = copy_database(scratch_->where(), file("copy"));
  ASSERT_TRUE(copy.ok()) << copy.status();
  const auto again = copy_database(scratch_->where(), file("copy")).status();
  EXPECT_EQ(again.code(), absl::StatusCode::kFailedPrecondition) << again;
  const auto status = restore_database(*copy, file("copy"), scratch_->where());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("nothing is overwritten"));
}

TEST_P(BackupTest, ACopyOfANewerProgramIsRefused) {
  auto copy = *copy_database(scratch_->where(), file("copy"));
  copy.schema_version = newest_schema_version() + 1;
  const auto status = restore_database(copy, file("copy"), target_->where());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("upgrade Plinth"));
}

TEST_P(BackupTest, ADamagedCopyIsRefused) {
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(usage_->append(std::vector{row(i)}).ok());
  const auto copy = *copy_database(scratch_->where(), file("copy"));
  std::filesystem::resize_file(file("copy"), std::filesystem::file_size(file("copy")) / 2);
  const auto status = restore_database(copy, file("copy"), target_->where());
  EXPECT_FALSE(status.ok());
  // What failed left nothing that would be taken for a database.
  EXPECT_TRUE(absl::IsNotFound(Database::open_present(target_->where()).status()));
}

TEST_P(BackupTest, DevicesHaveCostsFromATimeOn) {
  CostStore costs(*database_);
  ASSERT_TRUE(costs.insert({7200, 5, 2}).ok());
  ASSERT_TRUE(costs.insert({3600, 4, 1}).ok());
  EXPECT_EQ(costs.insert({3600, 9, 1}).code(), absl::StatusCode::kAlreadyExists);
  const auto all = costs.costs();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[0].device_hour_pico, 4);
  EXPECT_EQ((*all)[1].devices, 2);
}

TEST(Backup, AProgramThatIsMissingOrFailsIsNamed) {
  const auto scratch = *ScratchDatabase::make(Dialect::sqlite);
  const auto where = "postgresql://nobody:pass@/none?host=/nowhere";
  const auto status = copy_database(where, scratch->where()).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), testing::Not(HasSubstr("pass")));
  EXPECT_THAT(std::string(status.message()), HasSubstr("copy the database"));
  const auto missing = run_program({"plinth-no-such-program"}, {});
  EXPECT_TRUE(absl::IsFailedPrecondition(missing)) << missing;
  EXPECT_THAT(std::string(missing.message()), HasSubstr("plinth-no-such-program"));
}

}  // namespace
}  // namespace plinth::store
