// Backups of a home with sealed files, and homes made of them, on both databases.
#include "apps/home_backup.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "apps/home_content.h"
#include "base/file.h"
#include "governance/content_store.h"
#include "store/scratch_database.h"
#include "store/sha256.h"

namespace plinth {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// What a service has open of a home.
struct Open {
  Open(const std::string& home, const std::string& where, const base::Clock& clock) {
    database = *store::Database::open(where);
    documents = std::make_unique<store::DocumentStore>(*database);
    vault = *governance::Vault::open(home, *database, clock);
    retention = *governance::RetentionPolicies::open(*documents, clock);
    content =
        *governance::ContentStore::open(home + "/content", *database, *vault, *retention, clock);
  }
  absl::StatusOr<std::string> get(const std::string& id) const {
    ASSIGN_OR_RETURN(const auto reader, content->open_body(id));
    return reader.read(0, reader.plain_bytes());
  }
  std::unique_ptr<store::Database> database;
  std::unique_ptr<store::DocumentStore> documents;
  std::unique_ptr<governance::Vault> vault;
  std::unique_ptr<governance::RetentionPolicies> retention;
  std::unique_ptr<governance::ContentStore> content;
};

class HomeBackupTest : public testing::TestWithParam<store::Dialect> {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "backup_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    home_ = folder_ + "/home";
    other_ = folder_ + "/other";
    for (const auto& home : {home_, other_}) fs::create_directory(home);
    if (GetParam() == store::Dialect::sqlite) {
      where_ = home_ + "/plinth.db";
      target_ = other_ + "/plinth.db";
    } else {
      scratch_ = *store::ScratchDatabase::make(GetParam());
      scratch_target_ = *store::ScratchDatabase::make(GetParam());
      where_ = scratch_->where();
      target_ = scratch_target_->where();
      ASSERT_TRUE(base::write_file_atomic(home_ + "/plinth.toml",
                                          "[store]\ndatabase = \"" + where_ + "\"\n", 0600)
                      .ok());
    }
    open_.emplace(home_, where_, clock_);
    for (const char* project : {"a", "b"}) {
      ASSERT_TRUE(
          open_->content->put({fmt::format("file-{}", project), "org", project, "file"}, project)
              .ok());
    }
  }
  void TearDown() override {
    open_.reset();
    fs::remove_all(folder_);
  }
  std::string at(const std::string& name) const { return folder_ + "/" + name; }
  void back_up() {
    const auto made = make_backup(home_, {at("data"), true, 7});
    ASSERT_TRUE(made.ok()) << made.status();
    ASSERT_TRUE(make_key_backup(home_, at("keys")).ok());
    ASSERT_TRUE(make_secrets_backup(home_, at("secrets"), 7).ok());
  }
  absl::StatusOr<RestoredHome> restore(const std::string& tombstones = "") {
    return restore_home(other_, {at("data"), at("secrets"), at("keys"), tombstones,
                                 GetParam() == store::Dialect::sqlite ? "" : target_});
  }
  std::string body_of(const std::string& folder, const std::string& id) const {
    return governance::content_path(folder + "/content", id);
  }

  base::FakeClock clock_{1'800'000'000};
  std::string folder_, home_, other_, where_, target_;
  std::unique_ptr<store::ScratchDatabase> scratch_, scratch_target_;
  std::optional<Open> open_;
};

INSTANTIATE_TEST_SUITE_P(Apps, HomeBackupTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

TEST_P(HomeBackupTest, SealedFilesComeBack) {
  back_up();
  const auto restored = restore();
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->content_files, 2u);
  EXPECT_TRUE(restored->is_replayed);
  EXPECT_TRUE(restored->shredded_again.empty());
  const Open other(other_, target_, clock_);
  EXPECT_EQ(*other.get("file-a"), "a");
  EXPECT_EQ(*other.get("file-b"), "b");
}

TEST_P(HomeBackupTest, ADamagedFileIsFoundBeforeAnythingIsWritten) {
  back_up();
  auto bytes = *base::read_file(body_of(at("data"), "file-a"), 1 << 20);
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(base::write_file_atomic(body_of(at("data"), "file-a"), bytes, 0600).ok());
  const auto damaged = restore().status();
  EXPECT_TRUE(absl::IsDataLoss(damaged)) << damaged;
  EXPECT_THAT(std::string(damaged.message()), HasSubstr("file-a was changed"));
  fs::remove(body_of(at("data"), "file-a"));
  EXPECT_THAT(std::string(restore().status().message()), HasSubstr("is missing"));
  EXPECT_TRUE(fs::is_empty(other_) || !fs::exists(other_ + "/plinth.db"));
  EXPECT_FALSE(fs::exists(other_ + "/content"));
  // Nor may the list be changed.
  ASSERT_TRUE(base::write_file_atomic(at("data") + "/content.sha256", "", 0600).ok());
  EXPECT_TRUE(absl::IsDataLoss(restore().status()));
}

TEST_P(HomeBackupTest, AFileThatTheDatabaseNamesMustBeThere) {
  const auto path = body_of(home_, "file-b");
  const auto bytes = *base::read_file(path, 1 << 20);
  ASSERT_TRUE(fs::remove(path));
  const auto refused = make_backup(home_, {at("data"), true, 7}).status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("file-b"));
  ASSERT_TRUE(base::write_file_atomic(path, bytes + "x", 0600).ok());
  EXPECT_THAT(std::string(make_backup(home_, {at("data"), true, 7}).status().message()),
              HasSubstr("file-b has sha256"));
  EXPECT_FALSE(fs::exists(at("data")));
  EXPECT_TRUE(make_backup(home_, {at("data"), false, 7}).ok()) << "without the files";
}

TEST_P(HomeBackupTest, WhatWasShreddedAfterTheBackupStaysSo) {
  back_up();
  const auto gone = *open_->vault->shred("org", "a");
  ASSERT_EQ(gone.size(), 1u);
  ASSERT_TRUE(open_->vault->settle().ok());
  const auto restored = restore(home_ + "/audit-checkpoints/shredded.jsonl");
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->tombstones, 1u);
  EXPECT_EQ(restored->shredded_again, gone);
  // Destroyed by the restore: not only once somebody starts it.
  const auto database = *store::Database::open(target_);
  const auto keys = *store::DataKeyStore(*database).all();
  for (const auto& row : keys) EXPECT_NE(row.id, gone[0]);
  const Open other(other_, target_, clock_);
  EXPECT_TRUE(absl::IsFailedPrecondition(other.get("file-a").status()));
  EXPECT_EQ(*other.get("file-b"), "b");
  EXPECT_FALSE(other.vault->key_for("org", "a").ok());
}

// Where the secrets come later, the first start obeys what lies there.
TEST_P(HomeBackupTest, TombstonesWaitForTheSecrets) {
  back_up();
  ASSERT_TRUE(open_->vault->shred("org", "a").ok());
  ASSERT_TRUE(open_->vault->settle().ok());
  const auto restored =
      restore_home(other_, {at("data"), "", at("keys"), home_ + "/audit-checkpoints/shredded.jsonl",
                            GetParam() == store::Dialect::sqlite ? "" : target_});
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_FALSE(restored->is_replayed);
  fs::copy(home_ + "/secrets", other_ + "/secrets");
  const Open other(other_, target_, clock_);
  EXPECT_FALSE(other.get("file-a").ok());
  EXPECT_EQ(*other.get("file-b"), "b");
}

TEST_P(HomeBackupTest, AnotherFileIsNoFileOfTombstones) {
  back_up();
  EXPECT_TRUE(absl::IsNotFound(restore(at("nothing")).status()));
  ASSERT_TRUE(base::write_file_atomic(at("empty"), "", 0600).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(restore(at("empty")).status()));
  EXPECT_FALSE(fs::exists(other_ + "/plinth.db"));
  EXPECT_TRUE(restore().ok());
}

class CopyContent : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "content_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    fs::create_directory(folder_ + "/to");
  }
  void TearDown() override { fs::remove_all(folder_); }
  // A file as it is now.
  store::CopiedContent write(const std::string& id, const std::string& text) {
    const auto path = governance::content_path(folder_ + "/from", id);
    fs::create_directories(fs::path(path).parent_path());
    EXPECT_TRUE(base::write_file_atomic(path, text, 0600).ok());
    return {id, *store::sha256_file(path)};
  }
  std::string copied(const std::string& id) {
    const auto text =
        base::read_file(governance::content_path(folder_ + "/to/content", id), 1 << 20);
    return text.ok() ? *text : "";
  }
  std::string folder_;
};

// One was deleted and one sealed anew between the database's moment and their turn.
TEST_F(CopyContent, FollowsWhatChangesMeanwhile) {
  const auto stays = write("stays", "1");
  const auto before = write("resealed", "2");
  std::vector<std::vector<store::CopiedContent>> moments{
      {stays, before, {"deleted", std::string(64, 'a')}}};
  const auto after = write("resealed", "22");
  moments.push_back({stays, after});
  std::size_t asked = 0;
  const auto snapshot = [&]() -> absl::StatusOr<std::vector<store::CopiedContent>> {
    return moments.at(asked++);
  };
  const auto status = copy_content(folder_ + "/from", folder_ + "/to", snapshot);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(asked, 2u);
  EXPECT_EQ(copied("resealed"), "22");
  EXPECT_EQ(verify_content(folder_ + "/to")->size(), 2u);
}

// What was copied for a moment that does not count goes again.
TEST_F(CopyContent, KeepsNothingThatTheLastMomentDoesNotName) {
  const auto stays = write("stays", "1"), gone = write("gone", "2");
  std::vector<std::vector<store::CopiedContent>> moments{
      {gone, stays, {"missing", std::string(64, 'a')}}, {stays}};
  std::size_t asked = 0;
  ASSERT_TRUE(copy_content(folder_ + "/from", folder_ + "/to",
                           [&]() -> absl::StatusOr<std::vector<store::CopiedContent>> {
                             return moments.at(asked++);
                           })
                  .ok());
  EXPECT_EQ(copied("stays"), "1");
  EXPECT_EQ(copied("gone"), "");
}

TEST_F(CopyContent, OverwritesNothing) {
  const auto file = write("file", "1");
  ASSERT_TRUE(copy_content(folder_ + "/from", folder_ + "/to",
                           [&]() -> absl::StatusOr<std::vector<store::CopiedContent>> {
                             return std::vector{file};
                           })
                  .ok());
  EXPECT_TRUE(refuse_other_content({file}, folder_ + "/from").ok()) << "the same";
  (void)write("file", "another");
  EXPECT_TRUE(absl::IsFailedPrecondition(refuse_other_content({file}, folder_ + "/from")));
  EXPECT_TRUE(refuse_other_content({file}, folder_ + "/empty").ok());
  ASSERT_TRUE(restore_content(folder_ + "/to", {file}, folder_ + "/empty").ok());
  ASSERT_TRUE(restore_content(folder_ + "/to", {file}, folder_ + "/empty").ok()) << "again";
}

}  // namespace
}  // namespace plinth
