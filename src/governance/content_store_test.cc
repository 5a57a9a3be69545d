#include "governance/content_store.h"

#include "governance/testing/vault_fixture.h"
#include "governance/vault_limits.h"
#include "store/backup.h"

namespace plinth::governance {
namespace {

class ContentStoreTest : public VaultFixture {
 protected:
  absl::Status hold(bool on) {
    RetentionSetting setting;
    setting.legal_hold = on;
    return retention_->set_project("a", setting);
  }
};

TEST_P(ContentStoreTest, KeepsABodyAndWhatItIs) {
  const std::string body(200'000, 'x');
  const auto row = *content_->put({"file-1", "org", "a", "file", 4'100'000'000}, body);
  EXPECT_EQ(row.bytes, 200'000);
  EXPECT_EQ(row.created_s, 4'000'000'000);
  reopen();
  EXPECT_EQ(*content_->find("file-1"), row);
  EXPECT_TRUE(*get("file-1") == body);
  const auto page = *content_->list({"org", "a", "file"}, {});
  ASSERT_EQ(page.rows.size(), 1u);
  EXPECT_EQ(page.rows[0], row);
  EXPECT_TRUE(content_->list({"org", "b", ""}, {})->rows.empty());
}

TEST_P(ContentStoreTest, HoldsNoBodyInTheClear) {
  ASSERT_TRUE(put("file-1", "a", "canary canary canary").ok());
  const auto sealed = *base::read_file(body_path("file-1"), 1u << 20);
  EXPECT_EQ(sealed.find("canary"), std::string::npos);
}

TEST_P(ContentStoreTest, IdsAreUniqueAndNoPaths) {
  ASSERT_TRUE(put("file-1", "a", "first").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(put("file-1", "b", "second")));
  EXPECT_EQ(*get("file-1"), "first");
  for (const char* id : {"", "../x", "a/b", ".", "a.partial", "a b"})
    EXPECT_TRUE(absl::IsInvalidArgument(put(id, "a"))) << id;
  EXPECT_TRUE(absl::IsInvalidArgument(put(std::string(129, 'a'), "a")));
}

// Two uploads of one id at once: the later one must not take the earlier one's place.
TEST_P(ContentStoreTest, SecondOfTwoUploadsOfOneIdLosesOnlyItself) {
  auto first = *content_->begin({"file-1", "org", "a", "file"});
  auto second = *content_->begin({"file-1", "org", "b", "file"});
  ASSERT_TRUE(first.write("first").ok());
  ASSERT_TRUE(second.write("second").ok());
  ASSERT_TRUE(first.commit().ok());
  EXPECT_TRUE(absl::IsAlreadyExists(second.commit().status()));
  EXPECT_EQ(*get("file-1"), "first");
}

TEST_P(ContentStoreTest, BodiesThatChangePlacesDoNotOpen) {
  ASSERT_TRUE(put("file-1", "a", "first").ok());
  ASSERT_TRUE(put("file-2", "a", "secnd").ok());
  const auto other = *base::read_file(body_path("file-2"), 1u << 20);
  ASSERT_TRUE(base::write_file_atomic(body_path("file-1"), other, 0600).ok());
  EXPECT_TRUE(absl::IsDataLoss(get("file-1").status()));
}

TEST_P(ContentStoreTest, RemovedBodiesAreGone) {
  ASSERT_TRUE(put("file-1", "a").ok());
  ASSERT_TRUE(content_->remove("file-1").ok());
  EXPECT_TRUE(absl::IsNotFound(get("file-1").status()));
  EXPECT_EQ(body_path("file-1"), "");
  EXPECT_TRUE(absl::IsNotFound(content_->remove("file-1")));
}

TEST_P(ContentStoreTest, ExpiryAndDaysDeleteWhatIsDueAndNoMore) {
  const auto now_s = clock_.unix_seconds();
  ASSERT_TRUE(content_->put({"short", "org", "a", "file", now_s + 100}, "x").ok());
  ASSERT_TRUE(put("old", "a").ok());
  ASSERT_TRUE(put("other", "b").ok());
  RetentionSetting month;
  month.days = 30;
  ASSERT_TRUE(retention_->set_project("a", month).ok());
  clock_.advance(std::chrono::seconds(99));
  EXPECT_EQ(sweep().expired, 0u);
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(sweep().expired, 1u);
  EXPECT_TRUE(absl::IsNotFound(get("short").status()));
  clock_.advance(std::chrono::seconds(30 * 86'400 - 101));
  ASSERT_TRUE(put("new", "a").ok());
  EXPECT_EQ(sweep().expired, 0u);
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(sweep().expired, 1u);
  EXPECT_TRUE(absl::IsNotFound(get("old").status()));
  EXPECT_EQ(body_path("old"), "");
  EXPECT_TRUE(get("new").ok());
  EXPECT_TRUE(get("other").ok());
}

// A model stays until it is deleted, and a job until it is over.
TEST_P(ContentStoreTest, DaysAreNotOfAdaptersAndJobs) {
  for (const auto* kind : {kAdapterContent, kJobKeyContent})
    ASSERT_TRUE(content_->put({kind, "org", "a", kind}, "kept").ok());
  RetentionSetting day;
  day.days = 1;
  ASSERT_TRUE(retention_->set_project("a", day).ok());
  clock_.advance(std::chrono::hours(48));
  EXPECT_EQ(sweep().expired, 0u);
  ASSERT_TRUE(content_->set_expiry(kJobKeyContent, clock_.unix_seconds()).ok());
  EXPECT_EQ(sweep().expired, 1u);
  RetentionSetting zero;
  zero.type = "zero_data_retention";
  ASSERT_TRUE(retention_->set_project("a", zero).ok());
  EXPECT_EQ(sweep().expired, 1u);
}

TEST_P(ContentStoreTest, ABodyIsHandedOutByItselfUntilItIsSealedAnew) {
  ASSERT_TRUE(put("file-1", "a", "first").ok());
  ASSERT_TRUE(put("file-2", "a", "other").ok());
  const auto body = *content_->hand_out("file-1");
  const auto key = to_bytes(body.key);
  EXPECT_EQ(read_sealed_file(body.path, key)->text(), "first");
  EXPECT_FALSE(read_sealed_file(body_path("file-2"), key).ok());
  EXPECT_TRUE(content_->still_opens(body));
  ASSERT_TRUE(vault_->renew_keys("org", "a").ok());
  EXPECT_EQ(sweep().resealed, 2u);
  EXPECT_FALSE(content_->still_opens(body));
  EXPECT_TRUE(absl::IsAborted(read_sealed_file(body.path, key).status()));
  const auto now = *content_->hand_out("file-1");
  EXPECT_EQ(read_sealed_file(now.path, to_bytes(now.key))->text(), "first");
  const auto other = *content_->hand_out("file-2");
  ASSERT_TRUE(content_->remove("file-2").ok());
  EXPECT_FALSE(content_->still_opens(other));
  EXPECT_TRUE(absl::IsNotFound(content_->hand_out("none").status()));
  ASSERT_TRUE(vault_->shred("org", "a").ok());
  EXPECT_FALSE(content_->still_opens(now));
  EXPECT_TRUE(absl::IsFailedPrecondition(content_->hand_out("file-1").status()));
}

TEST_P(ContentStoreTest, ZeroDataStoresNothingAndDropsWhatWasThere) {
  ASSERT_TRUE(put("file-1", "a").ok());
  RetentionSetting zero;
  zero.type = "zero_data_retention";
  ASSERT_TRUE(retention_->set_project("a", zero).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(put("file-2", "a")));
  EXPECT_EQ(body_path("file-2"), "");
  EXPECT_TRUE(put("file-3", "b").ok());
  EXPECT_EQ(sweep().expired, 1u);
  EXPECT_TRUE(absl::IsNotFound(get("file-1").status()));
  EXPECT_TRUE(get("file-3").ok());
}

TEST_P(ContentStoreTest, LegalHoldStopsEveryDeletion) {
  const auto now_s = clock_.unix_seconds();
  ASSERT_TRUE(content_->put({"file-1", "org", "a", "file", now_s + 1}, "held").ok());
  ASSERT_TRUE(hold(true).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(content_->remove("file-1")));
  clock_.advance(std::chrono::hours(24));
  EXPECT_EQ(sweep().expired, 0u);
  EXPECT_EQ(*get("file-1"), "held");
  ASSERT_TRUE(hold(false).ok());
  EXPECT_EQ(sweep().expired, 1u);
}

TEST_P(ContentStoreTest, RetiredKeysGoOnceEverythingIsSealedAnew) {
  ASSERT_TRUE(put("file-1", "a", "first").ok());
  ASSERT_TRUE(put("file-2", "a", "second").ok());
  const auto old = content_->find("file-1")->key;
  ASSERT_TRUE(vault_->renew_keys("org", "").ok());
  ASSERT_TRUE(put("file-3", "a", "third").ok());
  auto done = sweep();
  EXPECT_EQ(done.resealed, 2u);
  // An upload may still be under the old keys.
  EXPECT_EQ(done.keys_destroyed, 0u);
  EXPECT_NE(content_->find("file-1")->key, old);
  EXPECT_EQ(*sealed_file_key(body_path("file-1")), content_->find("file-1")->key);
  clock_.advance(std::chrono::seconds(kRetiredGraceS));
  done = sweep();
  EXPECT_EQ(done.resealed, 0u);
  EXPECT_EQ(done.keys_destroyed, 2u);  // the project's and the organization's
  reopen();
  EXPECT_EQ(*get("file-1"), "first");
  EXPECT_EQ(*get("file-2"), "second");
  EXPECT_EQ(*get("file-3"), "third");
}

// The new file was there, the row still named the old key when the process died.
TEST_P(ContentStoreTest, ResealingThatWasCutOffGoesOn) {
  ASSERT_TRUE(put("file-1", "a", "first").ok());
  const auto before = *content_->find("file-1");
  ASSERT_TRUE(vault_->renew_keys("org", "a").ok());
  EXPECT_EQ(sweep().resealed, 1u);
  store::ContentRows rows(*database_);
  ASSERT_TRUE(rows.set_sealed("file-1", before.key, before.sha256).ok());
  EXPECT_EQ(*get("file-1"), "first");
  EXPECT_EQ(sweep().resealed, 1u);
  EXPECT_EQ(*get("file-1"), "first");
  EXPECT_NE(content_->find("file-1")->key, before.key);
}

TEST_P(ContentStoreTest, ShreddedContentIsUnreadableAtOnceAndThenGone) {
  ASSERT_TRUE(put("file-1", "a").ok());
  ASSERT_TRUE(put("file-2", "b", "other").ok());
  auto upload = *content_->begin({"file-3", "org", "a", "file"});
  ASSERT_TRUE(upload.write("half").ok());
  ASSERT_TRUE(vault_->shred("org", "a").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(get("file-1").status()));
  // What was being written when it happened does not arrive.
  EXPECT_TRUE(absl::IsFailedPrecondition(upload.commit().status()));
  EXPECT_EQ(body_path("file-3"), "");
  EXPECT_EQ(sweep().expired, 1u);
  EXPECT_TRUE(absl::IsNotFound(content_->find("file-1").status()));
  EXPECT_EQ(body_path("file-1"), "");
  EXPECT_EQ(*get("file-2"), "other");
}

TEST_P(ContentStoreTest, RestoredContentOfAShreddedProjectStaysUnreadable) {
  ASSERT_TRUE(put("file-1", "a").ok());
  const auto row = *content_->find("file-1");
  const auto sealed = *base::read_file(body_path("file-1"), 1u << 20);
  const auto path = body_path("file-1");
  ASSERT_TRUE(export_data_keys(*database_, home_ + "/keys").ok());
  ASSERT_TRUE(vault_->shred("org", "a").ok());
  sweep();
  ASSERT_TRUE(database_
                  ->transaction("restore",
                                [](store::Sql& sql) {
                                  sql.run("delete from shredded_key");
                                  return absl::OkStatus();
                                })
                  .ok());
  ASSERT_TRUE(import_data_keys(*database_, home_ + "/keys").ok());
  ASSERT_TRUE(base::write_file_atomic(path, sealed, 0600).ok());
  ASSERT_TRUE(store::ContentRows(*database_).insert(row).ok());
  reopen();
  EXPECT_TRUE(absl::IsFailedPrecondition(get("file-1").status()));
  EXPECT_EQ(sweep().expired, 1u);
  EXPECT_EQ(body_path("file-1"), "");
}

// The whole way: backup of data and of keys, shredding, both restored elsewhere beside the same
// secrets and the same second place of tombstones.
TEST_P(ContentStoreTest, RestoringAnOlderBackupBringsNoShreddedContentBack) {
  ASSERT_TRUE(put("file-1", "a").ok());
  ASSERT_TRUE(put("file-2", "b", "other").ok());
  const auto copy = store::copy_database(scratch_->where(), home_ + "/backup");
  ASSERT_TRUE(copy.ok()) << copy.status();
  ASSERT_TRUE(export_data_keys(*database_, home_ + "/keys").ok());
  const auto file = body_path("file-1");
  const auto sealed = *base::read_file(file, 1u << 20);
  ASSERT_TRUE(vault_->shred("org", "a").ok());
  sweep();

  const auto target = *store::ScratchDatabase::make(GetParam());
  const auto restored = store::restore_database(*copy, home_ + "/backup", target->where());
  ASSERT_TRUE(restored.ok()) << restored;
  content_.reset();
  vault_.reset();
  retention_.reset();
  documents_.reset();
  database_ = *store::Database::open(target->where());
  documents_ = std::make_unique<store::DocumentStore>(*database_);
  ASSERT_TRUE(base::write_file_atomic(file, sealed, 0600).ok());
  // A backup of the data has no keys in it.
  EXPECT_TRUE(store::DataKeyStore(*database_).all()->empty());
  reopen();
  EXPECT_TRUE(absl::IsFailedPrecondition(get("file-2").status()));
  ASSERT_TRUE(import_data_keys(*database_, home_ + "/keys").ok());
  reopen();
  EXPECT_EQ(vault_->shredded_again().size(), 1u);
  EXPECT_EQ(*get("file-2"), "other");
  EXPECT_TRUE(absl::IsFailedPrecondition(get("file-1").status()));
  EXPECT_EQ(sweep().expired, 1u);
  EXPECT_EQ(body_path("file-1"), "");
  // The database goes before its scratch does.
  content_.reset();
  vault_.reset();
  database_ = *store::Database::open(scratch_->where());
}

TEST_P(ContentStoreTest, FilesThatACrashLeftAreSweptUp) {
  ASSERT_TRUE(put("file-1", "a").ok());
  ASSERT_TRUE(base::write_file_atomic(home_ + "/content/stray", "x", 0600).ok());
  ASSERT_TRUE(base::write_file_atomic(home_ + "/content/file-2.0123.partial", "x", 0600).ok());
  EXPECT_EQ(sweep().orphans, 2u);
  EXPECT_TRUE(get("file-1").ok());
}

// A process that died holds no lock: what it left goes at once, and what somebody else writes
// stays, however old it is.
TEST_P(ContentStoreTest, WhatADeadProcessWroteGoesAtOnceAndNothingElse) {
  auto upload = *content_->begin({"file-1", "org", "a", "file"});
  ASSERT_TRUE(upload.write("half").ok());
  const auto left = home_ + "/content/file-2.0123.partial";
  ASSERT_TRUE(base::write_file_atomic(left, "x", 0600).ok());
  // As young as a file can be.
  base::FakeClock now(0);
  const auto young = *ContentStore::open(home_ + "/content", *database_, *vault_, *retention_, now);
  ContentSweep done;
  ASSERT_TRUE(young->sweep(done).ok());
  EXPECT_EQ(done.orphans, 1u);
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_EQ(sweep().orphans, 0u);
  EXPECT_TRUE(upload.commit().ok());
  EXPECT_EQ(*get("file-1"), "half");
}

INSTANTIATE_TEST_SUITE_P(All, ContentStoreTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& dialect) { return store::dialect_name(dialect.param); });

}  // namespace
}  // namespace plinth::governance
