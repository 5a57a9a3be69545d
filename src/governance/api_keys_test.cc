#include "governance/api_keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"

namespace plinth::governance {
namespace {

class ApiKeysTest : public ::testing::Test {
 protected:
  void SetUp() override {
    home_ = std::filesystem::temp_directory_path() / ("plinth_keys_" + std::to_string(::getpid()));
    std::filesystem::remove_all(home_);
    ASSERT_TRUE(base::make_folders(home_).ok());
    reopen();
  }
  void TearDown() override { std::filesystem::remove_all(home_); }
  void reopen() {
    keys_.reset();
    database_ = *store::Database::open(home_ + "/plinth.db");
    keys_ = *ApiKeys::open(home_, *database_, clock_);
  }
  std::string home_;
  base::FakeClock clock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<ApiKeys> keys_;
};

KeySpec laptop() {
  KeySpec spec;
  spec.project = "default";
  spec.name = "laptop";
  return spec;
}

TEST_F(ApiKeysTest, AcceptsOnlyTheWholeKey) {
  const std::string key = keys_->create(laptop())->text;
  ASSERT_TRUE(keys_->authenticate(key).ok());
  EXPECT_EQ(keys_->authenticate(key)->project, "default");
  for (std::size_t i = 0; i < key.size(); ++i) {
    std::string wrong = key;
    wrong[i] = wrong[i] == 'a' ? 'b' : 'a';
    EXPECT_EQ(keys_->authenticate(wrong).status().code(), absl::StatusCode::kUnauthenticated) << i;
  }
  EXPECT_FALSE(keys_->authenticate("").ok());
  EXPECT_FALSE(keys_->authenticate(key + "0").ok());
}

// What nobody can see but by the question that is not asked: a row that is there again meanwhile.
TEST_F(ApiKeysTest, AnIdWithoutAKeyIsAskedForOnce) {
  const std::string key = keys_->create(laptop())->text;
  const auto rename = [&](const std::string& from, const std::string& to) {
    return database_->transaction("rename", [&](store::Sql& sql) {
      sql.run("update api_key set id = ? WHERE id = ?", {to, from});
      return absl::OkStatus();
    });
  };
  const std::string id = key.substr(10, 12);
  ASSERT_TRUE(rename(id, "elsewhere").ok());
  EXPECT_EQ(keys_->authenticate(key).status().code(), absl::StatusCode::kUnauthenticated);
  ASSERT_TRUE(rename("elsewhere", id).ok());
  EXPECT_EQ(keys_->authenticate(key).status().code(), absl::StatusCode::kUnauthenticated);
  clock_.advance(std::chrono::seconds(10));
  EXPECT_TRUE(keys_->authenticate(key).ok());
}

TEST_F(ApiKeysTest, TheSecretIsNotStored) {
  const std::string key = keys_->create(laptop())->text;
  const std::string secret = key.substr(23, 32);
  for (const char* file : {"/plinth.db", "/plinth.db-wal"}) {
    const auto bytes = base::read_file(home_ + file, 1 << 24);
    if (bytes.ok()) {
      EXPECT_EQ(bytes->find(secret), std::string::npos) << file;
    }
  }
}

TEST_F(ApiKeysTest, RevocationTakesEffectAtOnceAndSurvivesARestart) {
  const std::string key = keys_->create(laptop())->text;
  const std::string id = keys_->authenticate(key)->key_id;
  ASSERT_TRUE(keys_->revoke(id).ok());
  EXPECT_FALSE(keys_->authenticate(key).ok());
  reopen();
  EXPECT_FALSE(keys_->authenticate(key).ok());
}

TEST_F(ApiKeysTest, AnExpiredKeyIsRefused) {
  auto spec = laptop();
  spec.expires_unix_s = clock_.unix_seconds() + 5;
  const auto key = keys_->create(spec)->text;
  EXPECT_TRUE(keys_->authenticate(key).ok());
  clock_.advance(std::chrono::seconds(5));
  EXPECT_EQ(keys_->authenticate(key).status().code(), absl::StatusCode::kUnauthenticated);
  clock_.advance(std::chrono::hours(1));
  EXPECT_EQ(keys_->authenticate(key).status().code(), absl::StatusCode::kUnauthenticated)
      << "read from the database again";
}

TEST_F(ApiKeysTest, AKeyKnowsItsNetworksAndModels) {
  auto spec = laptop();
  spec.networks = {"10.0.0.0/8", "2001:db8::/32"};
  spec.models = {"m"};
  const auto key = keys_->create(spec)->text;
  for (const char* peer : {"10.1.2.3", "2001:db8:1::2", "::ffff:10.9.9.9", ""}) {
    ASSERT_TRUE(keys_->authenticate(key, peer).ok()) << peer;
  }
  for (const char* peer : {"11.0.0.1", "::1", "127.0.0.1", "nonsense"}) {
    EXPECT_EQ(keys_->authenticate(key, peer).status().code(), absl::StatusCode::kPermissionDenied)
        << peer;
  }
  EXPECT_TRUE(keys_->authenticate(key)->may_call("m"));
  EXPECT_FALSE(keys_->authenticate(key)->may_call("n"));
  spec.networks = {"10.0.0.0/33"};
  EXPECT_EQ(keys_->create(spec).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ApiKeysTest, RotationOverlaps) {
  auto spec = laptop();
  spec.models = {"m"};
  const auto old = *keys_->create(spec);
  const auto fresh = keys_->rotate(old.row.id, std::chrono::minutes(10));
  ASSERT_TRUE(fresh.ok()) << fresh.status();
  EXPECT_TRUE(keys_->authenticate(old.text).ok());
  EXPECT_FALSE(keys_->authenticate(fresh->text)->may_call("n")) << "it may do no more";
  clock_.advance(std::chrono::minutes(10));
  EXPECT_FALSE(keys_->authenticate(old.text).ok());
  EXPECT_TRUE(keys_->authenticate(fresh->text).ok());
}

TEST_F(ApiKeysTest, LastUseIsNoted) {
  const auto key = *keys_->create(laptop());
  EXPECT_FALSE(keys_->find(key.row.id)->last_used_unix_s.has_value());
  ASSERT_TRUE(keys_->authenticate(key.text).ok());
  keys_->write_uses();
  const auto first_s = clock_.unix_seconds();
  EXPECT_EQ(keys_->find(key.row.id)->last_used_unix_s, first_s);
  clock_.advance(std::chrono::seconds(59));
  ASSERT_TRUE(keys_->authenticate(key.text).ok());
  keys_->write_uses();
  EXPECT_EQ(keys_->find(key.row.id)->last_used_unix_s, first_s) << "not before a minute";
  keys_->write_uses(true);
  EXPECT_EQ(keys_->find(key.row.id)->last_used_unix_s, first_s + 59);
}

TEST_F(ApiKeysTest, AProjectsKeysEndWithIt) {
  const auto key = keys_->create(laptop())->text;
  auto other = laptop();
  other.project = "other";
  const auto stays = keys_->create(other)->text;
  ASSERT_TRUE(keys_->authenticate(key).ok());
  ASSERT_TRUE(keys_->revoke_project("default").ok());
  EXPECT_FALSE(keys_->authenticate(key).ok());
  EXPECT_TRUE(keys_->authenticate(stays).ok());
}

TEST_F(ApiKeysTest, WhatKeysOfEachKindMay) {
  const auto rights = [&](const KeySpec& spec) {
    return keys_->authenticate(keys_->create(spec)->text)->grants;
  };
  const auto user = built_in_role("user")->permissions;
  EXPECT_EQ(rights(laptop()).in("default"), user);
  EXPECT_TRUE(rights(laptop()).in("other").empty());
  auto scoped = laptop();
  scoped.scopes = PermissionSet{Permission::read_usage};
  EXPECT_EQ(rights(scoped).in("default"), *scoped.scopes);
  KeySpec nowhere;
  EXPECT_TRUE(rights(nowhere).anywhere().empty());
  KeySpec admin;
  admin.role = Role::admin;
  EXPECT_EQ(rights(admin).organization, all_permissions().without({Permission::infer}));
  admin.scopes = PermissionSet{Permission::infer, Permission::manage_keys};
  EXPECT_EQ(rights(admin).organization, PermissionSet{Permission::manage_keys});

  store::TenantStore tenants(*database_);
  for (const char* role : {"owner", "member", "none"}) {
    ASSERT_TRUE(tenants.insert_service_account({role, "default", role, role, 1}).ok());
    auto spec = laptop();
    spec.service_account = role;
    const auto expected = role == std::string_view("owner")    ? project_permissions()
                          : role == std::string_view("member") ? user
                                                               : PermissionSet();
    EXPECT_EQ(rights(spec).in("default"), expected) << role;
  }
}

TEST_F(ApiKeysTest, AUsersKeyNeverGivesMoreThanTheUserHas) {
  store::PersonStore people(*database_);
  store::RoleStore roles(*database_);
  store::PersonRow ada;
  ada.id = "ada";
  ASSERT_TRUE(people.insert(ada).ok());
  auto spec = laptop();
  spec.user = "ada";
  const auto key = keys_->create(spec)->text;
  const auto rights = [&] { return keys_->authenticate(key)->grants.in("default"); };
  EXPECT_TRUE(rights().empty());
  const auto subject = store::user_subject("ada");
  ASSERT_TRUE(roles.change("default", subject, "default", {}, "user", 1).ok());
  EXPECT_TRUE(rights().empty()) << "it is remembered";
  keys_->forget();
  EXPECT_EQ(rights(), built_in_role("user")->permissions);
  EXPECT_EQ(keys_->authenticate(key)->user, "ada");
  ASSERT_TRUE(roles.change("default", subject, "default", {"user"}, "usage_reader", 1).ok());
  keys_->forget();
  EXPECT_EQ(rights(), PermissionSet{Permission::read_models}) << "what both have";
  ASSERT_TRUE(people.remove("default", "ada", 5).ok());
  keys_->forget();
  EXPECT_EQ(keys_->authenticate(key).status().code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(ApiKeysTest, RotationKeepsWhatTheKeyMay) {
  auto spec = laptop();
  spec.scopes = PermissionSet{Permission::read_usage};
  const auto old = *keys_->create(spec);
  const auto fresh = keys_->rotate(old.row.id, std::chrono::minutes(10));
  EXPECT_EQ(keys_->authenticate(fresh->text)->grants.in("default"), *spec.scopes);
  ASSERT_TRUE(keys_->set_scopes(fresh->row.id, std::nullopt).ok());
  EXPECT_EQ(keys_->authenticate(fresh->text)->grants.in("default"),
            built_in_role("user")->permissions);
}

TEST_F(ApiKeysTest, FirstStartKeepsItsKeysPrivate) {
  const auto first = keys_->first_start();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(first->created);
  struct stat info {};
  ASSERT_EQ(::stat((home_ + "/secrets/credentials.toml").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat((home_ + "/secrets/pepper").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  reopen();
  const auto second = keys_->first_start();
  ASSERT_TRUE(second.ok());
  EXPECT_FALSE(second->created);
  EXPECT_EQ(second->api_key, first->api_key);
  EXPECT_EQ(keys_->authenticate(second->admin_key)->role, Role::admin);
  EXPECT_EQ(read_credentials(home_)->admin_key, first->admin_key);
}

}  // namespace
}  // namespace plinth::governance
