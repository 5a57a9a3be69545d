#include "base/new_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace plinth::base {
namespace {

class NewFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "new_file_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  bool is_empty() const { return std::filesystem::is_empty(folder_); }

  std::string folder_;
};

TEST_F(NewFileTest, IsThereOnceItIsWhole) {
  const auto path = folder_ + "/a";
  ASSERT_TRUE(write_file_atomic(path, "old").ok());
  auto file = *NewFile::create(path);
  ASSERT_TRUE(file.write("new ").ok());
  ASSERT_TRUE(file.write("text").ok());
  EXPECT_EQ(*read_file(path, 100), "old");
  ASSERT_TRUE(file.commit().ok());
  EXPECT_EQ(*read_file(path, 100), "new text");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(NewFileTest, WhatIsNotCommittedLeavesNothing) {
  {
    auto file = *NewFile::create(folder_ + "/a");
    ASSERT_TRUE(file.write("text").ok());
    auto moved = std::move(file);
    ASSERT_TRUE(moved.write("more").ok());
  }
  EXPECT_TRUE(is_empty());
}

TEST_F(NewFileTest, NamesWhatCannotBeWritten) {
  const auto missing = NewFile::create(folder_ + "/none/a");
  EXPECT_TRUE(absl::IsNotFound(missing.status())) << missing.status();
  ASSERT_TRUE(make_folders(folder_ + "/folder/full").ok());
  auto file = *NewFile::create(folder_ + "/folder");
  EXPECT_FALSE(file.commit().ok()) << "a folder is not replaced";
}

}  // namespace
}  // namespace plinth::base
