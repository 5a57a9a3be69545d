// A home with a vault and content, on either database.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/file.h"
#include "governance/content_store.h"
#include "store/scratch_database.h"

namespace plinth::governance {

class VaultFixture : public testing::TestWithParam<store::Dialect> {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "vault_XXXXXX";
    home_ = ::mkdtemp(pattern.data());
    auto scratch = store::ScratchDatabase::make(GetParam());
    ASSERT_TRUE(scratch.ok()) << scratch.status();
    scratch_ = *std::move(scratch);
    database_ = *store::Database::open(scratch_->where());
    documents_ = std::make_unique<store::DocumentStore>(*database_);
    reopen();
  }
  void TearDown() override {
    content_.reset();
    std::filesystem::remove_all(home_);
  }
  void reopen() {
    content_.reset();
    auto vault = Vault::open(home_, *database_, clock_);
    ASSERT_TRUE(vault.ok()) << vault.status();
    vault_ = *std::move(vault);
    retention_ = *RetentionPolicies::open(*documents_, clock_);
    content_ = *ContentStore::open(home_ + "/content", *database_, *vault_, *retention_, clock_);
  }
  absl::Status put(const std::string& id, const std::string& project,
                   const std::string& body = "canary") {
    return content_->put({id, "org", project, "file"}, body).status();
  }
  absl::StatusOr<std::string> get(const std::string& id) {
    ASSIGN_OR_RETURN(const auto reader, content_->open_body(id));
    return reader.read(0, reader.plain_bytes());
  }
  ContentSweep sweep() {
    ContentSweep done;
    const auto status = content_->sweep(done);
    EXPECT_TRUE(status.ok()) << status;
    return done;
  }
  std::string body_path(const std::string& id) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(home_ + "/content")) {
      if (entry.path().filename() == id) return entry.path();
    }
    return "";
  }

  std::string home_;
  // Later than the files that a test makes, so that what a crash would have left counts as old.
  base::FakeClock clock_{4'000'000'000};
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::DocumentStore> documents_;
  std::unique_ptr<Vault> vault_;
  std::unique_ptr<RetentionPolicies> retention_;
  std::unique_ptr<ContentStore> content_;
};

}  // namespace plinth::governance
