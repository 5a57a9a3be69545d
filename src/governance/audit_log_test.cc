#include "governance/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "governance/audit_limits.h"
#include "governance/testing/audit_fixture.h"

namespace plinth::governance {
namespace {

using testing::HasSubstr;

using AuditLogTest = AuditFixture;
INSTANTIATE_TEST_SUITE_P(Governance, AuditLogTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

std::vector<AuditEntry> entries(AuditLog& log) {
  store::AuditFilter filter;
  filter.organization = "default";
  filter.limit = 100;
  const auto page = log.list(filter);
  EXPECT_TRUE(page.ok()) << page.status();
  return page.ok() ? page->rows : std::vector<AuditEntry>();
}

std::size_t lines(const std::string& folder) {
  std::size_t count = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".jsonl") continue;
    const auto text = *base::read_file(file.path(), 1 << 20);
    count += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }
  return count;
}

TEST_P(AuditLogTest, SaysWhatItWasTold) {
  auto event = AuditLogTest::event(7);
  event.actor = {"session", "user_1", "", "", "a@b.c", "2001:db8::1"};
  event.project_name = "Größe";
  event.resources = {"z", "a", "z"};
  event.details["price"] = 12.5;
  ASSERT_TRUE(log_->append(event).ok());
  const auto all = entries(*log_);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].index, 0);
  EXPECT_EQ(all[0].time_ms, clock_.unix_millis());
  EXPECT_TRUE(all[0].id.starts_with("audit_log-"));
  const auto& told = all[0].event;
  EXPECT_EQ(told.type, "project.created");
  EXPECT_EQ(told.actor.email, "a@b.c");
  EXPECT_EQ(told.actor.ip, "2001:db8::1");
  EXPECT_EQ(told.project_name, "Größe");
  EXPECT_EQ(told.resources, (std::vector<std::string>{"a", "z"}));
  EXPECT_EQ(told.details.at("price"), "12.5") << "the chain has no fractions";
}

TEST_P(AuditLogTest, RefusesWhatIsNoTextAndShortensWhatIsLong) {
  auto wrong = event(1);
  wrong.actor.email = "\xff";
  EXPECT_THAT(log_->append(wrong).ToString(), HasSubstr("actor.email"));
  wrong = event(1);
  wrong.resources = {std::string(2000, 'x')};
  EXPECT_THAT(log_->append(wrong).ToString(), HasSubstr("resources"));
  auto large = event(2);
  large.details["data"] = std::string(kAuditDetailsBytesMax, 'x');
  ASSERT_TRUE(log_->append(large).ok());
  auto strange = event(3);
  strange.details["data"] = "\xff";
  ASSERT_TRUE(log_->append(strange).ok());
  const auto all = entries(*log_);
  ASSERT_EQ(all.size(), 2u);
  for (const auto& entry : all) {
    EXPECT_TRUE(entry.event.details.contains("omitted_sha256"));
    EXPECT_EQ(entry.event.details.at("id").as_string(), entry.event.project);
  }
}

TEST_P(AuditLogTest, ActsAndTheirRecordsAreOneTransaction) {
  const auto status = database_->transaction("act", [&](store::Sql& sql) -> absl::Status {
    sql.run("insert into organization values ('o', 'O', 1)");
    if (auto appended = log_->append(event(1)); !appended.ok()) return appended;
    return base::internal("it fails at last");
  });
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(entries(*log_).empty());
}

TEST_P(AuditLogTest, RefusalsOfAMinuteAreOneRecordForEachSource) {
  AuditEvent refused{"api_key.rejected", {"api_key", "", "", "", "", "192.0.2.9"}};
  for (int i = 0; i < 1000; ++i) log_->refused(refused, i % 2 == 0 ? "/v1/models" : "/v1/chat");
  refused.actor.ip = "192.0.2.10";
  log_->refused(refused, "/v1/models");
  log_->tick();
  EXPECT_TRUE(entries(*log_).empty()) << "the minute is not over";
  clock_.advance(kRefusalWindow);
  log_->tick();
  auto all = entries(*log_);
  ASSERT_EQ(all.size(), 2u);
  const auto& many = all[0].event.actor.ip == "192.0.2.9" ? all[0] : all[1];
  EXPECT_EQ(many.event.details.at("count"), 1000);
  EXPECT_EQ(many.event.details.at("endpoints"), (base::json::array{"/v1/chat", "/v1/models"}));
  clock_.advance(kRefusalWindow);
  log_->tick();
  EXPECT_EQ(entries(*log_).size(), 2u) << "nothing was refused since";
}

TEST_P(AuditLogTest, SourcesBeyondTheBoundShareARecord) {
  for (int i = 0; i < 5000; ++i) {
    log_->refused({"api_key.rejected",
                   {"api_key", "", "", "", "", fmt::format("10.0.{}.{}", i / 250, i % 250)}},
                  "/v1/models");
  }
  ASSERT_TRUE(log_->seal().ok());
  const auto all = entries(*log_);
  ASSERT_EQ(all.size(), kRefusalSourcesMax + 1);
  std::int64_t total = 0;
  for (const auto& entry : all) total += entry.event.details.at("count").as_int64();
  EXPECT_EQ(total, 5000);
}

TEST_P(AuditLogTest, RefusalsSurviveADatabaseThatIsAway) {
  log_->refused({"api_key.rejected", {"api_key", ""}}, "/a");
  sql("alter table audit_record rename to away");
  EXPECT_FALSE(log_->seal().ok());
  log_->refused({"api_key.rejected", {"api_key", ""}}, "/b");
  sql("alter table away rename to audit_record");
  ASSERT_TRUE(log_->seal().ok());
  const auto all = entries(*log_);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].event.details.at("count"), 2);
}

TEST_P(AuditLogTest, IsSealedOnceAMinuteWhereSomethingHappened) {
  append(0, 3);
  log_->tick();
  EXPECT_EQ(lines(folder()), 0u);
  clock_.advance(kCheckpointInterval);
  log_->tick();
  EXPECT_EQ(lines(folder()), 1u);
  clock_.advance(kCheckpointInterval);
  log_->tick();
  EXPECT_EQ(lines(folder()), 1u) << "nothing happened";
  append(3, 4);
  reopen();
  EXPECT_EQ(lines(folder()), 2u) << "the end seals, too";
  append(4, 5);
  ASSERT_TRUE(log_->seal().ok());
  EXPECT_EQ(lines(folder()), 3u);
}

TEST_P(AuditLogTest, CopiesWhatACrashKeptFromBeingCopied) {
  append(0, 2);
  ASSERT_TRUE(log_->seal().ok());
  append(2, 4);
  reopen();
  std::string path;
  for (const auto& file : std::filesystem::directory_iterator(folder())) {
    if (file.path().extension() == ".jsonl") path = file.path();
  }
  const auto whole = *base::read_file(path, 1 << 20);
  // The second line is half written.
  log_.reset();
  ASSERT_TRUE(base::write_file_atomic(path, whole.substr(0, whole.size() - 9)).ok());
  reopen();
  ASSERT_TRUE(log_->seal().ok());
  EXPECT_EQ(*base::read_file(path, 1 << 20), whole);
}

TEST_P(AuditLogTest, ABrokenChainIsNotSigned) {
  append(0, 5);
  ASSERT_TRUE(log_->seal().ok());
  sql("delete from audit_record where idx >= 3");
  const auto shorter = log_->seal();
  EXPECT_EQ(shorter.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(shorter.ToString(), HasSubstr("3 records are left of 5"));
  reopen();
  append(3, 9);
  EXPECT_THAT(log_->seal().ToString(), HasSubstr("does not follow"));
  // Also where the database's checkpoints are gone with them.
  sql("delete from audit_checkpoint");
  reopen();
  EXPECT_THAT(log_->seal().ToString(), HasSubstr("not those that were sealed"));
  EXPECT_EQ(lines(folder()), 1u);
}

TEST_P(AuditLogTest, ADamagedRecordIsListedAsDamaged) {
  append(0, 2);
  sql("update audit_record set record = 'x' where idx = 1");
  const auto all = entries(*log_);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].event.type, "project.created");
  EXPECT_TRUE(all[0].event.details.contains("damaged"));
}

TEST_P(AuditLogTest, ThreadsAppendToOneChain) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) EXPECT_TRUE(log_->append(event(10 * t + i)).ok());
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(log_->seal().ok());
  EXPECT_EQ(entries(*log_).size(), 40u);
}

}  // namespace
}  // namespace plinth::governance
