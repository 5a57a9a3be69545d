#include "governance/uploads.h"

#include "governance/testing/vault_fixture.h"

namespace plinth::governance {
namespace {

class UploadsTest : public VaultFixture {
 protected:
  static constexpr std::int64_t kRoom = 1000;

  void SetUp() override {
    VaultFixture::SetUp();
    open();
  }
  void open() {
    files_ = std::make_unique<Files>(*database_, *content_, *retention_, clock_,
                                     system_random_bytes, kRoom);
    uploads_ = std::make_unique<Uploads>(*database_, *files_, *content_, *retention_, clock_);
  }
  UploadKey create(std::int64_t bytes, const FileSpec& file = {"user_data", "big.bin"}) {
    const auto row = uploads_->create({"org", "a", file, "text/plain", bytes});
    EXPECT_TRUE(row.ok()) << row.status();
    return {"org", "a", row.ok() ? row->id : ""};
  }
  absl::StatusOr<std::string> part(const UploadKey& key, const std::string& body) {
    ASSIGN_OR_RETURN(auto writer, uploads_->begin_part(key));
    RETURN_IF_ERROR(writer.write(body));
    ASSIGN_OR_RETURN(const auto row, uploads_->commit_part(std::move(writer), key));
    return row.id;
  }
  absl::Status complete(const UploadKey& key, const std::vector<std::string>& parts,
                        const std::string& md5 = "") {
    return uploads_->complete(key, parts, md5).status();
  }
  std::size_t bodies() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(home_ + "/content"))
      count += entry.is_regular_file() ? 1 : 0;
    return count;
  }
  void hold(bool on) {
    RetentionSetting setting;
    setting.legal_hold = on;
    ASSERT_TRUE(retention_->set_project("a", setting).ok());
  }

  std::unique_ptr<Files> files_;
  std::unique_ptr<Uploads> uploads_;
};

TEST_P(UploadsTest, PartsBecomeAFileInTheOrderThatIsSaid) {
  const auto key = create(11);
  const auto world = *part(key, " world"), hello = *part(key, "hello");
  const auto done = uploads_->complete(key, {hello, world}, "5EB63BBBE01EEED093CB22BB8F5ACDC3");
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->upload.status, "completed");
  EXPECT_EQ(done->file.filename, "big.bin");
  EXPECT_EQ(done->file.bytes, 11);
  EXPECT_EQ(*files_->open_body(done->file)->read(0, 100), "hello world");
  // The parts are gone, and count no more.
  EXPECT_EQ(bodies(), 1u);
  EXPECT_EQ(*content_->bytes_of("org", "a"), 11);
  // Who did not hear the answer asks again.
  const auto again = uploads_->complete(key, {hello, world}, "");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->file, done->file);
  EXPECT_TRUE(absl::IsFailedPrecondition(part(key, "more").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(uploads_->cancel(key).status()));
}

TEST_P(UploadsTest, WhatDoesNotFitIsRefusedAndCanBeMended) {
  const auto key = create(5), other = create(5);
  const auto one = *part(key, "abc"), two = *part(key, "de"), strange = *part(other, "de");
  EXPECT_TRUE(absl::IsInvalidArgument(complete(key, {one})));
  EXPECT_TRUE(absl::IsInvalidArgument(complete(key, {one, one})));
  EXPECT_TRUE(absl::IsInvalidArgument(complete(key, {one, strange})));
  EXPECT_TRUE(absl::IsInvalidArgument(complete(key, {one, two, "part_x"})));
  EXPECT_TRUE(absl::IsInvalidArgument(complete(key, {one, two}, std::string(32, '0'))));
  EXPECT_EQ(bodies(), 3u);
  const auto status = complete(key, {one, two}, "ab56b4d92b40713acc5af89985d4b786");
  EXPECT_TRUE(status.ok()) << status;
}

TEST_P(UploadsTest, APartCountsOnceEvenWhereTwiceWouldFit) {
  const auto key = create(6);
  const auto one = *part(key, "abc");
  EXPECT_TRUE(absl::IsInvalidArgument(complete(key, {one, one})));
}

TEST_P(UploadsTest, OtherProjectsFindNone) {
  const auto key = create(5);
  const UploadKey other{"org", "b", key.id};
  const auto expected = base::not_found("No such Upload object: " + key.id);
  EXPECT_EQ(uploads_->begin_part(other).status(), expected);
  EXPECT_EQ(complete(other, {}), expected);
  EXPECT_EQ(uploads_->cancel(other).status(), expected);
  EXPECT_TRUE(part(key, "abcde").ok());
}

TEST_P(UploadsTest, CancelledUploadsAndTheirPartsAreGone) {
  const auto key = create(5);
  ASSERT_TRUE(part(key, "abc").ok());
  auto late = *uploads_->begin_part(key);
  ASSERT_TRUE(late.write("de").ok());
  EXPECT_EQ(uploads_->cancel(key)->status, "cancelled");
  EXPECT_EQ(bodies(), 1u) << "the part that is on its way, and no other";
  EXPECT_TRUE(absl::IsFailedPrecondition(uploads_->commit_part(std::move(late), key).status()));
  EXPECT_EQ(bodies(), 0u);
  EXPECT_EQ(*content_->bytes_of("org", "a"), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(complete(key, {})));
}

TEST_P(UploadsTest, ExpiredUploadsTakeNothingAndTheirPartsGo) {
  const auto key = create(5);
  const auto one = *part(key, "abcde");
  clock_.advance(std::chrono::seconds(3599));
  EXPECT_EQ(sweep().expired, 0u);
  clock_.advance(std::chrono::seconds(1));
  EXPECT_TRUE(absl::IsFailedPrecondition(part(key, "x").status()));
  EXPECT_EQ(complete(key, {one}).message(), "The Upload " + key.id + " is expired.");
  clock_.advance(std::chrono::hours(1));
  EXPECT_EQ(sweep().expired, 1u);
  EXPECT_EQ(bodies(), 0u);
  store::UploadRows rows(*database_);
  EXPECT_TRUE(rows.parts(key.id)->empty());
  // A day later it is not remembered.
  clock_.advance(std::chrono::hours(24));
  (void)create(1);
  EXPECT_TRUE(absl::IsNotFound(rows.find("a", key.id).status()));
}

TEST_P(UploadsTest, PartsCountAsStoredAndAFileOfThemDoesNotCountTwice) {
  const auto key = create(kRoom);
  const auto one = *part(key, std::string(600, 'x')), two = *part(key, std::string(400, 'y'));
  EXPECT_TRUE(absl::IsResourceExhausted(part(key, "z").status()));
  EXPECT_TRUE(absl::IsResourceExhausted(files_->begin("org", "a").status()));
  const auto status = complete(key, {one, two});
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(*content_->bytes_of("org", "a"), kRoom);
}

TEST_P(UploadsTest, LegalHoldKeepsPartsUntilItEnds) {
  const auto key = create(3);
  const auto one = *part(key, "abc");
  ASSERT_TRUE(part(key, "was sent for nothing").ok());
  hold(true);
  ASSERT_TRUE(complete(key, {one}).ok());
  EXPECT_EQ(bodies(), 3u);
  sweep();
  EXPECT_EQ(bodies(), 3u);
  hold(false);
  EXPECT_EQ(sweep().expired, 2u);
  EXPECT_EQ(bodies(), 1u);
}

TEST_P(UploadsTest, BoundsAndNamesAreKept) {
  EXPECT_TRUE(absl::IsInvalidArgument(
      uploads_->create({"org", "a", {"user_data", ""}, "text/plain", 1}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      uploads_->create({"org", "a", {"batch", "x"}, "text/plain", 0}).status()));
  for (std::int64_t i = 0; i < kUploadsPendingMax; ++i) (void)create(1);
  const auto one_more = uploads_->create({"org", "a", {"user_data", "x"}, "text/plain", 1});
  EXPECT_TRUE(absl::IsResourceExhausted(one_more.status()));
  EXPECT_TRUE(uploads_->create({"org", "b", {"user_data", "x"}, "text/plain", 1}).ok());
  clock_.advance(std::chrono::hours(1));
  EXPECT_TRUE(uploads_->create({"org", "a", {"user_data", "x"}, "text/plain", 1}).ok());
  RetentionSetting zero;
  zero.type = "zero_data_retention";
  ASSERT_TRUE(retention_->set_project("a", zero).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(
      uploads_->create({"org", "a", {"user_data", "x"}, "text/plain", 1}).status()));
}

TEST_P(UploadsTest, FilesOfUploadsExpireAsTheySay) {
  const auto key = create(1, {"evals", "e", 7200});
  const auto one = *part(key, "x");
  clock_.advance(std::chrono::seconds(100));
  EXPECT_EQ(uploads_->complete(key, {one}, "")->file.expires_s, 4'000'007'300);
}

INSTANTIATE_TEST_SUITE_P(All, UploadsTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& dialect) { return store::dialect_name(dialect.param); });

}  // namespace
}  // namespace plinth::governance
