#include "governance/sealed_storage.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/file.h"

namespace plinth::governance {
namespace {

namespace fs = std::filesystem;

class SealedStorageTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "stored_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    fs::create_directory(folder_ + "/one");
    fs::create_directory(folder_ + "/two");
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::unique_ptr<SealedStorage> storage(char key = 'k', const std::string& folder = "") {
    return *SealedStorage::open(folder.empty() ? folder_ : folder,
                                std::string(kStorageKeyBytes, key));
  }
  std::string stored(const std::string& name) const {
    return *base::read_file(folder_ + name, 1u << 24);
  }

  std::string folder_;
};

TEST_F(SealedStorageTest, ReadsWhatItWroteAndNobodyElseDoes) {
  const std::string body = std::string(200'000, 'x') + "canary";
  ASSERT_TRUE(storage()->write(folder_ + "/one/file", body).ok());
  EXPECT_EQ(stored("/one/file").find("canary"), std::string::npos);
  EXPECT_EQ(stored("/one/file").find(std::string(16, 'x')), std::string::npos);
  EXPECT_TRUE(storage()->read(folder_ + "/one/file")->text() == body);
  EXPECT_TRUE(absl::IsDataLoss(storage('l')->read(folder_ + "/one/file").status()));
  ASSERT_TRUE(storage()->write(folder_ + "/one/file", "").ok());
  EXPECT_EQ(storage()->read(folder_ + "/one/file")->text(), "");
}

TEST_F(SealedStorageTest, AFileThatTakesAnothersPlaceDoesNotOpen) {
  ASSERT_TRUE(storage()->write(folder_ + "/one/file", "old").ok());
  fs::copy(folder_ + "/one/file", folder_ + "/two/file");
  EXPECT_TRUE(absl::IsDataLoss(storage()->read(folder_ + "/two/file").status()));
  // All of it together may.
  const auto moved = folder_ + "/moved";
  fs::create_directory(moved);
  fs::rename(folder_ + "/one", moved + "/one");
  EXPECT_EQ(storage('k', moved)->read(moved + "/one/file")->text(), "old");
}

TEST_F(SealedStorageTest, WhatLayThereInTheOpenIsReadAsItIs) {
  for (const std::string before : {"", "a", "a text", "{\"step\": 3}"}) {
    ASSERT_TRUE(base::write_file_atomic(folder_ + "/one/file", before).ok());
    EXPECT_EQ(storage()->read(folder_ + "/one/file")->text(), before);
  }
  ASSERT_TRUE(storage()->write(folder_ + "/one/file", "new").ok());
  EXPECT_EQ(stored("/one/file").find("new"), std::string::npos);
}

TEST_F(SealedStorageTest, KnowsItsFolderAlone) {
  EXPECT_TRUE(absl::IsInvalidArgument(SealedStorage::open(folder_, "short").status()));
  EXPECT_FALSE(storage()->read("/etc/hostname").ok());
  EXPECT_FALSE(storage()->create(folder_ + "x/file").ok());
  EXPECT_TRUE(absl::IsNotFound(storage()->read(folder_ + "/one/none").status()));
}

}  // namespace
}  // namespace plinth::governance
