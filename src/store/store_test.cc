#include <gtest/gtest.h>
#include <soci/soci.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "store/blob_store.h"
#include "store/database.h"
#include "store/key_store.h"
#include "store/sha256.h"

namespace plinth::store {
namespace {

class Store : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("plinth_store_" + std::to_string(::getpid()) + "_" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    ASSERT_TRUE(base::make_folders(folder_).ok());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

KeyRow row(const std::string& id) {
  return {id, "default", "laptop", "project", "ab", 5'000'000'000, {}};
}

TEST_F(Store, KeysSurviveReopening) {
  {
    auto database = Database::open(folder_ + "/plinth.db");
    ASSERT_TRUE(database.ok()) << database.status();
    KeyStore keys(**database);
    ASSERT_TRUE(keys.insert(row("a")).ok());
    ASSERT_TRUE(keys.insert(row("b")).ok());
    EXPECT_EQ(keys.insert(row("a")).code(), absl::StatusCode::kAlreadyExists);
  }
  auto database = Database::open(folder_ + "/plinth.db");
  ASSERT_TRUE(database.ok());
  KeyStore keys(**database);
  ASSERT_TRUE(keys.revoke("b", 7).ok());
  ASSERT_TRUE(keys.revoke("b", 8).ok());
  EXPECT_EQ(keys.revoke("c", 8).code(), absl::StatusCode::kNotFound);
  const auto all = keys.list();
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[0].created_unix_s, 5'000'000'000);
  EXPECT_FALSE((*all)[0].revoked_unix_s.has_value());
  EXPECT_EQ((*all)[1].revoked_unix_s, 7);
  EXPECT_EQ(keys.find("zz").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(Store, FailedTransactionLeavesNothing) {
  auto database = Database::open(folder_ + "/plinth.db");
  ASSERT_TRUE(database.ok());
  const auto status = (*database)->transaction("test", [](soci::session& sql) -> absl::Status {
    sql << "insert into api_key values ('x', 'p', 'n', 'project', 'h', 1, null)";
    return base::internal("stop");
  });
  EXPECT_FALSE(status.ok());
  EXPECT_FALSE(KeyStore(**database).find("x").ok());
}

TEST_F(Store, RefusesADatabaseOfANewerProgram) {
  {
    auto database = Database::open(folder_ + "/plinth.db");
    ASSERT_TRUE((*database)
                    ->transaction("t",
                                  [](soci::session& sql) {
                                    sql << "pragma user_version=999";
                                    return absl::OkStatus();
                                  })
                    .ok());
  }
  EXPECT_EQ(Database::open(folder_ + "/plinth.db").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(Store, CheckFindsDamage) {
  const std::string path = folder_ + "/plinth.db";
  EXPECT_EQ(check_database(path).code(), absl::StatusCode::kNotFound);
  {
    auto database = Database::open(path);
    ASSERT_TRUE(database.ok());
    KeyStore keys(**database);
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(keys.insert(row(std::to_string(i))).ok());
    EXPECT_TRUE(check_database(path).ok()) << "while it is open";
  }
  EXPECT_TRUE(check_database(path).ok());
  auto bytes = *base::read_file(path, 16u << 20);
  ASSERT_GT(bytes.size(), 8192u);
  std::fill(bytes.begin() + 4096, bytes.end(), 'x');
  ASSERT_TRUE(base::write_file_atomic(path, bytes).ok());
  EXPECT_FALSE(check_database(path).ok());
}

TEST_F(Store, BlobsAreNamedByTheirContent) {
  auto blobs = BlobStore::open(folder_ + "/blobs");
  ASSERT_TRUE(blobs.ok());
  const std::string part = blobs->partial_folder() + "/x";
  ASSERT_TRUE(base::write_file_atomic(part, "abc").ok());
  const auto digest = sha256_file(part);
  // FIPS 180-2, appendix B.1.
  ASSERT_EQ(*digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_FALSE(blobs->has(*digest));
  ASSERT_TRUE(blobs->adopt(part, *digest).ok());
  EXPECT_TRUE(blobs->has(*digest));
  EXPECT_FALSE(std::filesystem::exists(part));
  EXPECT_EQ(*base::read_file(blobs->path(*digest), 10), "abc");
  ASSERT_TRUE(blobs->remove(*digest).ok());
  EXPECT_FALSE(blobs->has(*digest));
}

}  // namespace
}  // namespace plinth::store
