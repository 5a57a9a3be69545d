#include "governance/vault.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "absl/strings/escaping.h"
#include "governance/testing/vault_fixture.h"
#include "governance/vault/secret_file.h"
#include "governance/vault/tombstones.h"
#include "governance/vault_limits.h"

namespace plinth::governance {
namespace {

const SealedFor kPlace{"org", "a", "note", "1"};

class VaultTest : public VaultFixture {
 protected:
  std::string master_path() const { return home_ + "/secrets/master_key"; }
  std::string master() { return *base::read_file(master_path(), 64); }
  std::string wrapped(const std::string& id) const {
    for (const auto& row : vault_->keys()) {
      if (row.id == id) return row.wrapped;
    }
    return "";
  }
  // Of the database's files, where it has some.
  bool files_hold(const std::string& bytes) const {
    for (const char* end : {"", "-wal", "-shm"}) {
      const auto text = base::read_file(scratch_->where() + end, 64u << 20);
      if (text.ok() && text->find(bytes) != std::string::npos) return true;
    }
    return false;
  }
};

TEST_P(VaultTest, MasterKeyIsMadeOnceAndIsItsOwnersAlone) {
  struct stat info {};
  ASSERT_EQ(::stat(master_path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  const auto bytes = master();
  EXPECT_EQ(bytes.size(), 32u);
  reopen();
  EXPECT_EQ(master(), bytes);
}

TEST_P(VaultTest, MasterKeyThatOthersMayReadIsRefused) {
  for (const unsigned mode : {0640u, 0604u, 0620u}) {
    ::chmod(master_path().c_str(), mode);
    const auto opened = Vault::open(home_, *database_, clock_);
    EXPECT_TRUE(absl::IsFailedPrecondition(opened.status()));
    EXPECT_NE(opened.status().ToString().find("chmod 600"), std::string::npos);
  }
  ::chmod(master_path().c_str(), 0600);
  ASSERT_TRUE(base::write_file_atomic(master_path(), "short", 0600).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Vault::open(home_, *database_, clock_).status()));
}

// What others read meanwhile is older than a key that was just made.
TEST_P(VaultTest, KeysThatAreMadeWhileOthersReadStay) {
  std::atomic<bool> over = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 8; ++i) {
    readers.emplace_back([&] {
      while (!over) EXPECT_FALSE(vault_->key("unknown").ok());
    });
  }
  for (int i = 0; i < 60; ++i) {
    const auto made = vault_->key_for("org" + std::to_string(i), "a");
    EXPECT_TRUE(made.ok()) << made.status();
  }
  over = true;
  for (auto& reader : readers) reader.join();
}

TEST_P(VaultTest, EveryProjectHasAKeyOfItsOwnUnderItsOrganizations) {
  const auto a = *vault_->key_for("org", "a");
  const auto b = *vault_->key_for("org", "b");
  const auto other = *vault_->key_for("other", "a");
  EXPECT_NE(a.bytes->view(), b.bytes->view());
  EXPECT_NE(a.bytes->view(), other.bytes->view());
  EXPECT_EQ(vault_->key_for("org", "a")->id, a.id);
  std::map<std::string, store::DataKeyRow> by_id;
  for (const auto& row : vault_->keys()) by_id[row.id] = row;
  EXPECT_EQ(by_id.size(), 5u);  // two organizations and three projects
  const auto& above = by_id.at(by_id.at(a.id).wrapped_by);
  EXPECT_EQ(above.organization, "org");
  EXPECT_EQ(above.project, "");
  EXPECT_EQ(above.wrapped_by, vault_->master().id());
  EXPECT_EQ(by_id.at(b.id).wrapped_by, above.id);
  EXPECT_NE(by_id.at(other.id).wrapped_by, above.id);
  reopen();
  EXPECT_EQ(vault_->key(a.id)->bytes->view(), a.bytes->view());
}

TEST_P(VaultTest, DatabaseWithoutTheMasterKeyOpensNothing) {
  const auto box = *vault_->seal(kPlace, "canary");
  EXPECT_EQ(*vault_->unseal(kPlace, box), "canary");
  ASSERT_EQ(::rename(master_path().c_str(), (home_ + "/elsewhere").c_str()), 0);
  const auto opened = Vault::open(home_, *database_, clock_);
  EXPECT_TRUE(absl::IsFailedPrecondition(opened.status())) << opened.status();
  ASSERT_EQ(::rename((home_ + "/elsewhere").c_str(), master_path().c_str()), 0);
  reopen();
  EXPECT_EQ(*vault_->unseal(kPlace, box), "canary");
}

TEST_P(VaultTest, RowsThatChangePlacesOpenNothing) {
  const auto a = *vault_->key_for("org", "a");
  const auto b = *vault_->key_for("org", "b");
  store::DataKeyStore rows(*database_);
  const auto id = vault_->keys().front().id;
  ASSERT_TRUE(rows.rewrap(a.id, wrapped(b.id), id).ok());
  reopen();
  EXPECT_TRUE(absl::IsDataLoss(vault_->key(a.id).status()));
  EXPECT_TRUE(vault_->key(b.id).ok());
}

// What was retired, and may be known to somebody, does not become the current key again.
TEST_P(VaultTest, GenerationsOfAKeyThatChangePlacesOpenNothing) {
  const auto old = *vault_->key_for("org", "a");
  ASSERT_TRUE(vault_->renew_keys("org", "a").ok());
  const auto fresh = *vault_->key_for("org", "a");
  ASSERT_NE(fresh.id, old.id);
  store::DataKeyStore rows(*database_);
  ASSERT_TRUE(rows.rewrap(fresh.id, wrapped(old.id), vault_->keys().front().id).ok());
  reopen();
  EXPECT_TRUE(absl::IsDataLoss(vault_->key(fresh.id).status()));
}

TEST_P(VaultTest, NewMasterKeyRewrapsEverythingAndReadsWhatIsOld) {
  const auto box = *vault_->seal(kPlace, "canary");
  ASSERT_TRUE(write_secret(home_, "token", "secret").ok());
  const auto old_bytes = master();
  const auto old = vault_->master().id();
  ASSERT_TRUE(vault_->renew_master().ok());
  EXPECT_NE(vault_->master().id(), old);
  EXPECT_NE(master(), old_bytes);
  for (const auto& row : vault_->keys()) EXPECT_NE(row.wrapped_by, old);
  reopen();
  EXPECT_EQ(*vault_->unseal(kPlace, box), "canary");
  EXPECT_EQ(*read_secret(home_, "token"), "secret");
  EXPECT_EQ(*vault_->forget_masters(), std::vector{old});
  EXPECT_EQ(vault_->master().generations().size(), 1u);
  reopen();
  EXPECT_EQ(*vault_->unseal(kPlace, box), "canary");
  EXPECT_EQ(*read_secret(home_, "token"), "secret");
}

TEST_P(VaultTest, RotationThatWasCutOffGoesOn) {
  const auto a = *vault_->seal(kPlace, "canary");
  ASSERT_TRUE(vault_->key_for("other", "b").ok());
  // A crash right after the new master key: nothing is wrapped by it yet.
  const auto master_key = *open_home_master_key(home_, system_random_bytes);
  const auto old = master_key->id();
  ASSERT_TRUE(master_key->renew().ok());
  reopen();
  EXPECT_EQ(*vault_->unseal(kPlace, a), "canary");
  EXPECT_EQ(*vault_->rewrap(), 2u);
  EXPECT_EQ(*vault_->rewrap(), 0u);
  for (const auto& row : vault_->keys()) EXPECT_NE(row.wrapped_by, old);
}

TEST_P(VaultTest, NewDataKeysSealWhatIsNewAndOldOnesStillRead) {
  const auto old = *vault_->key_for("org", "a");
  const auto untouched = *vault_->key_for("other", "c");
  const auto box = *vault_->seal(kPlace, "canary");
  clock_.advance(std::chrono::seconds(10));
  ASSERT_TRUE(vault_->renew_keys("org", "").ok());
  const auto fresh = *vault_->key_for("org", "a");
  EXPECT_NE(fresh.id, old.id);
  EXPECT_EQ(vault_->key_for("other", "c")->id, untouched.id);
  EXPECT_EQ(*vault_->unseal(kPlace, box), "canary");
  reopen();
  EXPECT_EQ(vault_->key_for("org", "a")->id, fresh.id);
  EXPECT_EQ(*vault_->unseal(kPlace, box), "canary");
  // Even the old key is wrapped by the organization's new one, so that its old one can go.
  for (const auto& row : vault_->keys()) {
    if (row.project.empty()) continue;
    for (const auto& above : vault_->keys()) {
      EXPECT_FALSE(above.id == row.wrapped_by && above.retired_s) << row.id;
    }
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(vault_->destroy_retired(fresh.id)));
  ASSERT_TRUE(vault_->destroy_retired(old.id).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(vault_->unseal(kPlace, box).status()));
}

TEST_P(VaultTest, ShreddedProjectIsUnreadableAndOthersAreNot) {
  const auto a = *vault_->key_for("org", "a");
  const auto box = *vault_->seal(kPlace, "canary");
  const SealedFor beside{"org", "b", "note", "1"};
  const auto other = *vault_->seal(beside, "other");
  const auto bytes = wrapped(a.id);
  EXPECT_EQ(files_hold(bytes), GetParam() == store::Dialect::sqlite);
  EXPECT_EQ(*vault_->shred("org", "a"), std::vector{a.id});
  ASSERT_TRUE(vault_->settle().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(vault_->unseal(kPlace, box).status()));
  EXPECT_EQ(*vault_->unseal(beside, other), "other");
  EXPECT_TRUE(absl::IsFailedPrecondition(vault_->key_for("org", "a").status()));
  EXPECT_TRUE(vault_->is_shredded(a.id));
  // Not in the database's pages and not in its log either.
  EXPECT_FALSE(files_hold(bytes));
  reopen();
  EXPECT_TRUE(absl::IsFailedPrecondition(vault_->unseal(kPlace, box).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(vault_->key_for("org", "a").status()));
}

TEST_P(VaultTest, ShreddedOrganizationTakesItsProjectsAlong) {
  const auto box = *vault_->seal(kPlace, "canary");
  ASSERT_TRUE(vault_->key_for("other", "c").ok());
  EXPECT_EQ(vault_->shred("org", "")->size(), 2u);
  EXPECT_TRUE(absl::IsFailedPrecondition(vault_->unseal(kPlace, box).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(vault_->key_for("org", "new").status()));
  EXPECT_TRUE(vault_->key_for("other", "c").ok());
}

TEST_P(VaultTest, RestoredKeysOfShreddedProjectsAreDestroyedAgain) {
  const auto a = *vault_->key_for("org", "a");
  const auto box = *vault_->seal(kPlace, "canary");
  const SealedFor beside{"org", "b", "note", "1"};
  const auto other = *vault_->seal(beside, "other");
  ASSERT_TRUE(export_data_keys(*database_, home_ + "/keys").ok());
  ASSERT_TRUE(vault_->shred("org", "a").ok());
  ASSERT_TRUE(vault_->settle().ok());
  // The restored database is of before: it has the key, and knows of no tombstone.
  const auto forget = database_->transaction("tamper", [](store::Sql& sql) {
    sql.run("delete from shredded_key");
    return absl::OkStatus();
  });
  ASSERT_TRUE(forget.ok());
  EXPECT_EQ(*import_data_keys(*database_, home_ + "/keys"), 1u);
  reopen();
  EXPECT_EQ(vault_->shredded_again(), std::vector{a.id});
  EXPECT_TRUE(absl::IsFailedPrecondition(vault_->unseal(kPlace, box).status()));
  EXPECT_EQ(*vault_->unseal(beside, other), "other");
  reopen();
  EXPECT_TRUE(vault_->shredded_again().empty());
}

TEST_P(VaultTest, TombstoneWithoutTheKeyDestroysNothing) {
  const auto a = *vault_->key_for("org", "a");
  const auto box = *vault_->seal(kPlace, "canary");
  ASSERT_TRUE(
      append_tombstones(home_ + "/audit-checkpoints", {{a.id, "org", "a", std::string(64, '0'), 1}})
          .ok());
  reopen();
  EXPECT_TRUE(vault_->shredded_again().empty());
  EXPECT_EQ(*vault_->unseal(kPlace, box), "canary");
}

TEST_P(VaultTest, TombstoneReachesItsSecondPlaceAfterACrash) {
  const auto a = *vault_->key_for("org", "a");
  ASSERT_TRUE(vault_->shred("org", "a").ok());
  // As if it had died before settle().
  EXPECT_TRUE(read_tombstones(home_ + "/audit-checkpoints")->empty());
  reopen();
  const auto rows = *read_tombstones(home_ + "/audit-checkpoints");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].id, a.id);
  reopen();
  EXPECT_EQ(read_tombstones(home_ + "/audit-checkpoints")->size(), 1u);
}

TEST_P(VaultTest, UndoneShreddingIsNone) {
  const auto a = *vault_->key_for("org", "a");
  const auto box = *vault_->seal(kPlace, "canary");
  const auto status = database_->transaction("act", [&](store::Sql&) -> absl::Status {
    EXPECT_TRUE(vault_->shred("org", "a").ok());
    return base::unavailable("the record could not be written");
  });
  EXPECT_FALSE(status.ok());
  ASSERT_TRUE(vault_->settle().ok());
  ASSERT_TRUE(vault_->refresh().ok());
  reopen();
  EXPECT_EQ(*vault_->unseal(kPlace, box), "canary");
  EXPECT_TRUE(read_tombstones(home_ + "/audit-checkpoints")->empty());
  EXPECT_FALSE(vault_->is_shredded(a.id));
}

TEST_P(VaultTest, SecretsThatLayPlainAreSealedWhenTheyAreRead) {
  ASSERT_TRUE(base::write_file_atomic(home_ + "/secrets/token", "plain secret", 0600).ok());
  EXPECT_EQ(*read_secret(home_, "token"), "plain secret");
  const auto text = *base::read_file(home_ + "/secrets/token", 4096);
  EXPECT_EQ(text.find("plain secret"), std::string::npos);
  EXPECT_EQ(*read_secret(home_, "token"), "plain secret");
  // One secret is not another.
  ASSERT_TRUE(base::write_file_atomic(home_ + "/secrets/other", text, 0600).ok());
  EXPECT_TRUE(absl::IsDataLoss(read_secret(home_, "other").status()));
}

INSTANTIATE_TEST_SUITE_P(All, VaultTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& dialect) { return store::dialect_name(dialect.param); });

}  // namespace
}  // namespace plinth::governance
