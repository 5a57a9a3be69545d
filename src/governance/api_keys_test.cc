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

TEST_F(ApiKeysTest, AcceptsOnlyTheWholeKey) {
  const std::string key = *keys_->create("default", "laptop", Role::project);
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

TEST_F(ApiKeysTest, TheSecretIsNotStored) {
  const std::string key = *keys_->create("default", "laptop", Role::project);
  const std::string secret = key.substr(23, 32);
  for (const char* file : {"/plinth.db", "/plinth.db-wal"}) {
    const auto bytes = base::read_file(home_ + file, 1 << 24);
    if (bytes.ok()) {
      EXPECT_EQ(bytes->find(secret), std::string::npos) << file;
    }
  }
}

TEST_F(ApiKeysTest, RevocationTakesEffectAtOnceAndSurvivesARestart) {
  const std::string key = *keys_->create("default", "laptop", Role::project);
  const std::string id = keys_->authenticate(key)->key_id;
  ASSERT_TRUE(keys_->revoke(id).ok());
  EXPECT_FALSE(keys_->authenticate(key).ok());
  reopen();
  EXPECT_FALSE(keys_->authenticate(key).ok());
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
