#include "store/backup_manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "store/scratch_database.h"

namespace plinth::store {
namespace {

using testing::HasSubstr;

BackupManifest manifest() {
  BackupManifest made;
  made.content = "data";
  made.plinth = "0.1";
  made.created_s = 7;
  made.database = {Dialect::postgresql, 4};
  made.files = {{"database.pgdump", 9, std::string(64, 'a')}};
  made.models = {{"smollm2", {{"sub/model.gguf", 5'000'000'000, std::string(64, 'b')}}}};
  return made;
}

TEST(BackupManifest, ReadsWhatItWrites) {
  const auto read = parse_backup_manifest(to_json(manifest()));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(to_json(*read), to_json(manifest()));
  EXPECT_EQ(read->database.dialect, Dialect::postgresql);
  EXPECT_EQ(read->models[0].files[0].bytes, 5'000'000'000u);
}

TEST(BackupManifest, ANameNeverLeadsElsewhere) {
  for (const char* name : {"../plinth.db", "/etc/passwd", "", ".hidden", "a/b"}) {
    auto made = manifest();
    made.files[0].name = name;
    const auto status = parse_backup_manifest(to_json(made)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr("is no name of a file")) << name;
  }
}

TEST(BackupManifest, NamesWhatIsWrong) {
  EXPECT_THAT(std::string(parse_backup_manifest("{}").status().message()), HasSubstr("format"));
  EXPECT_EQ(parse_backup_manifest(R"({"format":2})").status().code(),
            absl::StatusCode::kFailedPrecondition);
  auto made = manifest();
  made.files[0].sha256 = "abc";
  EXPECT_FALSE(parse_backup_manifest(to_json(made)).ok());
  made = manifest();
  made.content = "everything";
  EXPECT_FALSE(parse_backup_manifest(to_json(made)).ok());
}

TEST(BackupManifest, ChangedFilesAreFound) {
  const auto scratch = *ScratchDatabase::make(Dialect::sqlite);
  const std::string folder = std::filesystem::path(scratch->where()).parent_path();
  ASSERT_TRUE(base::write_file_atomic(folder + "/f", "content").ok());
  const auto file = describe_file(folder, "f");
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(verify_files(folder, {*file}).ok());
  const auto told = [&] { return std::string(verify_files(folder, {*file}).message()); };
  ASSERT_TRUE(base::write_file_atomic(folder + "/f", "Content").ok());
  EXPECT_THAT(told(), HasSubstr("was changed"));
  ASSERT_TRUE(base::write_file_atomic(folder + "/f", "conten").ok());
  EXPECT_THAT(told(), HasSubstr("has 6 bytes, not 7"));
  std::filesystem::remove(folder + "/f");
  EXPECT_THAT(told(), HasSubstr("is missing"));
}

}  // namespace
}  // namespace plinth::store
