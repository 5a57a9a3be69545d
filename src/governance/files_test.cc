#include "governance/files.h"

#include "governance/testing/vault_fixture.h"

namespace plinth::governance {
namespace {

class FilesTest : public VaultFixture {
 protected:
  static constexpr std::int64_t kRoom = 1000;

  Files files(std::int64_t project_bytes_max = kRoom) {
    return {*database_, *content_, *retention_, clock_, system_random_bytes, project_bytes_max};
  }
  absl::StatusOr<store::FileRow> add(const std::string& body, const FileSpec& spec = kSpec,
                                     const std::string& project = "a") {
    auto all = files();
    ASSIGN_OR_RETURN(auto writer, all.begin("org", project));
    RETURN_IF_ERROR(writer.write(body));
    return all.commit(std::move(writer), "org", project, spec);
  }
  std::vector<std::string> names(const store::PageRequest& page, const std::string& purpose = "") {
    std::vector<std::string> out;
    const auto found = files().list("org", "a", purpose, page);
    EXPECT_TRUE(found.ok()) << found.status();
    for (const auto& row : found->rows) out.push_back(row.filename);
    return out;
  }
  void hold(bool on) {
    RetentionSetting setting;
    setting.legal_hold = on;
    ASSERT_TRUE(retention_->set_project("a", setting).ok());
  }
  // Every file under the folder of content.
  std::size_t bodies() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(home_ + "/content"))
      count += entry.is_regular_file() ? 1 : 0;
    return count;
  }

  static inline const FileSpec kSpec{"user_data", "notes.txt"};
};

TEST_P(FilesTest, KeepsABodyAndItsName) {
  const auto row = *add("hello");
  EXPECT_TRUE(row.id.starts_with("file-")) << row.id;
  EXPECT_EQ(row.bytes, 5);
  EXPECT_EQ(row.created_s, 4'000'000'000);
  EXPECT_EQ(row.expires_s, std::nullopt);
  reopen();
  EXPECT_EQ(*files().find("org", "a", row.id), row);
  const auto body = *files().open_body(row);
  EXPECT_EQ(*body.read(0, 100), "hello");
}

TEST_P(FilesTest, ProjectsDoNotSeeEachOthers) {
  const auto row = *add("hello");
  EXPECT_EQ(files().find("org", "b", row.id).status(),
            base::not_found("No such File object: " + row.id));
  EXPECT_TRUE(files().list("org", "b", "", {})->rows.empty());
  EXPECT_TRUE(absl::IsNotFound(files().remove("org", "b", row.id)));
  // Nor does a cursor say that it is there.
  EXPECT_TRUE(absl::IsNotFound(files().list("org", "b", "", {row.id}).status()));
  EXPECT_TRUE(files().find("org", "a", row.id).ok());
}

TEST_P(FilesTest, PagesStayStableWhileFilesCome) {
  std::vector<store::FileRow> rows;
  for (int i = 0; i < 5; ++i)
    rows.push_back(*add("x", {i % 2 == 0 ? "evals" : "vision", std::to_string(i)}));
  EXPECT_EQ(names({"", 2, true}), (std::vector<std::string>{"4", "3"}));
  ASSERT_TRUE(add("x", {"evals", "new"}).ok());
  EXPECT_EQ(names({rows[3].id, 2, true}), (std::vector<std::string>{"2", "1"}));
  EXPECT_EQ(names({rows[3].id, 20, false}), (std::vector<std::string>{"4", "new"}));
  EXPECT_EQ(names({"", 20, false}, "vision"), (std::vector<std::string>{"1", "3"}));
  EXPECT_TRUE(files().list("org", "a", "", {"", 5, true})->has_more);
  EXPECT_FALSE(files().list("org", "a", "", {"", 6, true})->has_more);
}

TEST_P(FilesTest, RemovalTakesRowsInATransactionAndTheBodyAfterIt) {
  const auto row = *add("hello");
  const auto undone = database_->transaction("undone", [&](store::Sql&) -> absl::Status {
    EXPECT_TRUE(files().remove("org", "a", row.id).ok());
    return absl::CancelledError();
  });
  EXPECT_FALSE(undone.ok());
  // What is still there keeps its body.
  ASSERT_TRUE(files().drop_body(row.id).ok());
  EXPECT_EQ(*files().open_body(row)->read(0, 100), "hello");
  ASSERT_TRUE(files().remove("org", "a", row.id).ok());
  EXPECT_NE(body_path(row.id), "");
  ASSERT_TRUE(files().drop_body(row.id).ok());
  EXPECT_EQ(bodies(), 0u);
  EXPECT_TRUE(absl::IsNotFound(files().find("org", "a", row.id).status()));
  EXPECT_TRUE(absl::IsNotFound(content_->find(row.id).status()));
}

TEST_P(FilesTest, BatchFilesExpireAndOthersWhenTheySaySo) {
  EXPECT_EQ(add("x", {"batch", "b"})->expires_s, 4'000'000'000 + 30 * 86'400);
  EXPECT_EQ(add("x", {"batch", "b", 3600})->expires_s, 4'000'003'600);
  const auto row = *add("x", {"evals", "e", 3600});
  EXPECT_EQ(content_->find(row.id)->expires_s, 4'000'003'600);
  clock_.advance(std::chrono::seconds(3599));
  EXPECT_TRUE(files().find("org", "a", row.id).ok());
  clock_.advance(std::chrono::seconds(1));
  // At once, though the keeper comes later.
  EXPECT_TRUE(absl::IsNotFound(files().find("org", "a", row.id).status()));
  EXPECT_EQ(names({"", 20, false}), (std::vector<std::string>{"b"}));
  EXPECT_EQ(sweep().expired, 2u);
  clock_.advance(std::chrono::hours(24 * 30));
  EXPECT_EQ(sweep().expired, 1u);
  store::FileRows rows(*database_);
  EXPECT_TRUE(rows.list({"a", "", std::nullopt}, {})->rows.empty()) << "a row outlived its body";
}

TEST_P(FilesTest, LegalHoldKeepsWhatIsPastDueAndWhatSomebodyDeletes) {
  const auto row = *add("x", {"evals", "e", 3600});
  hold(true);
  EXPECT_TRUE(absl::IsFailedPrecondition(files().remove("org", "a", row.id)));
  clock_.advance(std::chrono::hours(2));
  EXPECT_EQ(sweep().expired, 0u);
  EXPECT_TRUE(files().find("org", "a", row.id).ok());
  hold(false);
  EXPECT_TRUE(absl::IsNotFound(files().find("org", "a", row.id).status()));
}

TEST_P(FilesTest, ZeroDataStoresNothing) {
  RetentionSetting zero;
  zero.type = "zero_data_retention";
  ASSERT_TRUE(retention_->set_project("a", zero).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(add("hello").status()));
  EXPECT_EQ(bodies(), 0u);
  EXPECT_TRUE(add("hello", kSpec, "b").ok());
}

TEST_P(FilesTest, AProjectHasRoomForSoMuchAndItsNeighbourForAsMuch) {
  ASSERT_TRUE(add(std::string(kRoom - 10, 'x')).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(add(std::string(11, 'x')).status()));
  EXPECT_EQ(bodies(), 1u);
  EXPECT_TRUE(add(std::string(kRoom, 'x'), kSpec, "b").ok());
  ASSERT_TRUE(add(std::string(10, 'x')).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(files().begin("org", "a").status()));
}

// Two that fit each by itself, and are begun while there is nothing: the second one to arrive must
// not get past the bound.
TEST_P(FilesTest, RoomIsCountedWhenAFileIsThereNotOnlyWhenItBegins) {
  auto all = files();
  auto first = *all.begin("org", "a");
  auto second = *all.begin("org", "a");
  ASSERT_TRUE(first.write(std::string(600, 'x')).ok());
  ASSERT_TRUE(second.write(std::string(600, 'x')).ok());
  ASSERT_TRUE(all.commit(std::move(first), "org", "a", kSpec).ok());
  const auto late = all.commit(std::move(second), "org", "a", kSpec);
  EXPECT_TRUE(absl::IsResourceExhausted(late.status())) << late.status();
  EXPECT_EQ(bodies(), 1u);
  EXPECT_EQ(names({}).size(), 1u);
}

TEST_P(FilesTest, RefusesNamesAndBodiesThatCannotBe) {
  const auto refused = [&](const FileSpec& spec, const std::string& body = "x") {
    const auto status = add(body, spec).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << spec.filename << " " << status;
    EXPECT_EQ(bodies(), 0u);
  };
  refused({"user_data", ""});
  refused({"user_data", std::string(256, 'x')});
  refused({"user_data", std::string("a\0b", 3)});
  refused({"user_data", "a\nb"});
  refused({"user_data", "\xff"});
  refused({"nothing", "x"});
  refused({"batch", "x"}, "");
  refused({"fine-tune", "x"}, "");
  EXPECT_TRUE(add("", {"user_data", "empty"}).ok());
}

TEST_P(FilesTest, WhatIsNotCommittedLeavesNothing) {
  {
    auto writer = *files().begin("org", "a");
    ASSERT_TRUE(writer.write("hello").ok());
    // However old it is: somebody is still writing it.
    EXPECT_EQ(sweep().orphans, 0u);
    ASSERT_TRUE(writer.write("hello").ok());
    EXPECT_EQ(bodies(), 1u);
  }
  EXPECT_EQ(bodies(), 0u);
}

TEST_P(FilesTest, ShreddingTakesTheRowsAlong) {
  const auto row = *add("hello");
  ASSERT_TRUE(vault_->shred("org", "a").ok());
  EXPECT_EQ(sweep().expired, 1u);
  EXPECT_TRUE(absl::IsNotFound(files().find("org", "a", row.id).status()));
}

INSTANTIATE_TEST_SUITE_P(All, FilesTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& dialect) { return store::dialect_name(dialect.param); });

}  // namespace
}  // namespace plinth::governance
