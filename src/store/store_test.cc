#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "store/blob_store.h"
#include "store/database.h"
#include "store/integrity.h"
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
  KeyRow row;
  row.id = id;
  row.role = "project";
  return row;
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
