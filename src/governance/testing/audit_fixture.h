// An audit log in a home of its own, on either database, that tests may tamper with.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/file.h"
#include "governance/audit_log.h"
#include "store/scratch_database.h"

namespace plinth::governance {

class AuditFixture : public testing::TestWithParam<store::Dialect> {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "audit_XXXXXX";
    home_ = ::mkdtemp(pattern.data());
    auto scratch = store::ScratchDatabase::make(GetParam());
    ASSERT_TRUE(scratch.ok()) << scratch.status();
    scratch_ = *std::move(scratch);
    database_ = *store::Database::open(scratch_->where());
    reopen();
  }
  void TearDown() override {
    log_.reset();
    std::filesystem::remove_all(home_);
  }
  void reopen() {
    log_.reset();
    auto log = AuditLog::open(home_, *database_, clock_, {"", false});
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
  }
  static AuditEvent event(int number) {
    AuditEvent event{"project.created", {"api_key", "key", "", "", "", "192.0.2.1"}};
    event.project = fmt::format("proj_{}", number);
    event.resources = {event.project};
    event.details = {{"id", event.project}, {"data", {{"name", "Größe \"1\"\n"}}}};
    return event;
  }
  // Records from..to-1.
  void append(int from, int to) {
    for (int i = from; i < to; ++i) {
      const auto status = log_->append(event(i));
      ASSERT_TRUE(status.ok()) << status;
      clock_.advance(std::chrono::seconds(1));
    }
  }
  void sql(const std::string& statement) {
    const auto status = database_->transaction("tamper", [&](store::Sql& sql) {
      sql.run(statement);
      return absl::OkStatus();
    });
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string folder() const { return home_ + "/audit-checkpoints"; }

  std::string home_;
  base::FakeClock clock_;
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<AuditLog> log_;
};

}  // namespace plinth::governance
