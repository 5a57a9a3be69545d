#include "base/storage.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace plinth::base {
namespace {

class StorageTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "storage_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
};

TEST_F(StorageTest, APlainFileIsWhatWasWritten) {
  const auto path = folder_ + "/a";
  ASSERT_TRUE(plain_storage().write(path, "some text").ok());
  EXPECT_EQ(*read_file(path, 100), "some text");
  EXPECT_EQ(plain_storage().read(path)->text(), "some text");
  ASSERT_TRUE(plain_storage().write(path, "").ok());
  EXPECT_EQ(plain_storage().read(path)->bytes().size(), 0u);
  EXPECT_TRUE(absl::IsNotFound(plain_storage().read(folder_ + "/b").status()));
}

TEST_F(StorageTest, WhatIsNotCommittedLeavesNothing) {
  {
    const auto file = *plain_storage().create(folder_ + "/a");
    ASSERT_TRUE(file->write("half").ok());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

// A text of a few bytes lies in the string itself, which moves.
TEST_F(StorageTest, BytesInMemoryMayMove) {
  FileBytes first(std::string("ab"));
  const FileBytes second(std::move(first));
  EXPECT_EQ(second.text(), "ab");
  EXPECT_EQ(second.bytes()[1], 'b');
}

}  // namespace
}  // namespace plinth::base
