// What the store promises, on both databases.
#include "store/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "store/key_store.h"
#include "store/scratch_database.h"
#include "store/tenant_store.h"

namespace plinth::store {
namespace {

using testing::ElementsAre;

class OnBoth : public testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    auto scratch = ScratchDatabase::make(GetParam());
    ASSERT_TRUE(scratch.ok()) << scratch.status();
    scratch_ = *std::move(scratch);
    reopen();
  }
  void reopen() {
    database_.reset();
    auto database = Database::open(scratch_->where());
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
  }
  std::unique_ptr<ScratchDatabase> scratch_;
  std::unique_ptr<Database> database_;
};
using DatabaseTest = OnBoth;

INSTANTIATE_TEST_SUITE_P(Store, DatabaseTest, testing::ValuesIn(scratch_dialects()),
                         [](const auto& backend) { return dialect_name(backend.param); });

KeyRow row(const std::string& id) {
  KeyRow row;
  row.id = id;
  row.project = "default";
  row.name = "laptop";
  row.role = "project";
  row.secret_hmac = "ab";
  row.created_unix_s = 5'000'000'000;
  return row;
}

TEST_P(DatabaseTest, ATextWithAZeroByteIsRefusedByName) {
  KeyStore keys(*database_);
  auto bad = row("a");
  bad.name = std::string("a\0b", 3);
  const auto status = keys.insert(bad);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("zero byte"));
  EXPECT_EQ(keys.find(std::string("a\0", 2)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(keys.insert(row("a")).ok()) << "nothing is left of it";
}

TEST_P(DatabaseTest, KeysSurviveReopening) {
  KeyStore before(*database_);
  ASSERT_TRUE(before.insert(row("b")).ok());
  auto second = row("a");
  second.models = R"(["m"])";
  second.expires_unix_s = 7'000'000'000;
  ASSERT_TRUE(before.insert(second).ok());
  EXPECT_EQ(before.insert(row("a")).code(), absl::StatusCode::kAlreadyExists);
  reopen();
  KeyStore keys(*database_);
  const auto all = keys.list("project", "", {"", 10});
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->rows.size(), 2u);
  EXPECT_EQ(all->rows[0].id, "b") << "in the order in which they were made";
  EXPECT_EQ(all->rows[0].created_unix_s, 5'000'000'000);
  EXPECT_FALSE(all->rows[0].models.has_value());
  EXPECT_EQ(all->rows[1].models, R"(["m"])");
  EXPECT_EQ(all->rows[1].expires_unix_s, 7'000'000'000);
  ASSERT_TRUE(keys.revoke("b", 7).ok());
  ASSERT_TRUE(keys.revoke("b", 8).ok());
  EXPECT_EQ(keys.find("b")->revoked_unix_s, 7);
  EXPECT_EQ(keys.revoke("c", 8).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(keys.find("zz").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(keys.list("project", "", {"", 10})->rows.size(), 1u);
}

TEST_P(DatabaseTest, AStatementMayRunInsideItsOwnAnswer) {
  std::vector<std::int64_t> seen;
  const auto status = database_->transaction("nested", [&](Sql& sql) {
    const std::string query = "select i from (select 1 as i union all select 2) as n where i <= ?";
    sql.each(query, {std::int64_t{2}}, 1, [&](const SqlRow& outer) {
      sql.each(query, {outer.integer(0)}, 1, [&](const SqlRow& inner) {
        seen.push_back(outer.integer(0) * 10 + inner.integer(0));
      });
    });
    return absl::OkStatus();
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(seen, testing::UnorderedElementsAre(11, 21, 22));
}

TEST_P(DatabaseTest, AStatementRunsAgainAfterItFailedAndAfterItsTableChanged) {
  const auto insert = [&](SqlValue number, SqlValue word) {
    return database_->transaction("insert", [&](Sql& sql) {
      sql.run("insert into words values (?,?)", {number, word});
      return absl::OkStatus();
    });
  };
  const auto words = [&] {
    std::vector<std::string> all;
    const auto status = database_->read("words", [&](Sql& sql) {
      sql.each("select word from words order by number", {}, 1,
               [&](const SqlRow& row) { all.push_back(row.maybe_text(0).value_or("null")); });
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    return all;
  };
  const auto change = [&](const std::string& statement) {
    return database_->transaction("change", [&](Sql& sql) {
      sql.run(statement);
      return absl::OkStatus();
    });
  };
  ASSERT_TRUE(change("create table words (number bigint primary key, word text)").ok());
  EXPECT_TRUE(insert(1, "one").ok());
  EXPECT_EQ(insert(1, "again").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(insert(2, nullptr).ok());
  EXPECT_TRUE(insert(3, "three").ok()) << "a null has left nothing behind";
  EXPECT_THAT(words(), ElementsAre("one", "null", "three"));
  ASSERT_TRUE(change("drop table words").ok()) << "no statement holds it";
  ASSERT_TRUE(change("create table words (word text, number bigint primary key)").ok());
  EXPECT_TRUE(change("insert into words values ('four', 4)").ok());
  EXPECT_THAT(words(), ElementsAre("four"));
}

TEST_P(DatabaseTest, CallsInsideATransactionArePartsOfIt) {
  KeyStore keys(*database_);
  TenantStore tenants(*database_);
  const auto status = database_->transaction("whole", [&](Sql&) {
    EXPECT_TRUE(keys.insert(row("a")).ok());
    EXPECT_TRUE(keys.find("a").ok()) << "what was written can be read";
    EXPECT_EQ(keys.insert(row("a")).code(), absl::StatusCode::kAlreadyExists);
    EXPECT_TRUE(keys.insert(row("b")).ok()) << "a part that failed is undone alone";
    std::thread([&] {
      EXPECT_EQ(keys.find("a").status().code(), absl::StatusCode::kNotFound)
          << "other threads see nothing before the end";
    }).join();
    return tenants.ensure_organization({"o", "O", 1});
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(keys.find("a").ok() && keys.find("b").ok() && tenants.organization("o").ok());
}

TEST_P(DatabaseTest, PartsOfAFailedTransactionLeaveNothing) {
  KeyStore keys(*database_);
  const auto status = database_->transaction("whole", [&](Sql&) {
    EXPECT_TRUE(keys.insert(row("a")).ok());
    return base::invalid_argument("no");
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(keys.find("a").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(keys.insert(row("a")).ok()) << "the connection goes on as before";
}

TEST_P(DatabaseTest, APartThatWasInAnothersWayRunsAgainWithTheWhole) {
  KeyStore keys(*database_);
  int runs = 0;
  const auto status = database_->transaction("whole", [&](Sql&) -> absl::Status {
    ++runs;
    EXPECT_TRUE(keys.insert(row("a")).ok()) << "the first run left nothing";
    const auto part = database_->transaction("part", [&](Sql&) -> absl::Status {
      return runs == 1 ? absl::AbortedError("another won") : absl::OkStatus();
    });
    // As endpoints do, which make an answer of it.
    return part.ok() ? part : base::internal("refused");
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(runs, 2);
}

TEST_P(DatabaseTest, FailedTransactionLeavesNothing) {
  const auto insert = [](Sql& sql) { sql.run("insert into organization values ('x', 'X', 1)"); };
  EXPECT_EQ(database_
                ->transaction("test",
                              [&](Sql& sql) {
                                insert(sql);
                                return base::internal("stop");
                              })
                .code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(database_
                ->transaction("test",
                              [&](Sql& sql) {
                                insert(sql);
                                sql.run("insert into no_such_table values (1)");
                                return absl::OkStatus();
                              })
                .code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(TenantStore(*database_).organization("x").status().code(), absl::StatusCode::kNotFound);
}

TEST_P(DatabaseTest, ReadersMayNotWrite) {
  EXPECT_FALSE(database_
                   ->read("test",
                          [](Sql& sql) {
                            sql.run("insert into organization values ('x', 'X', 1)");
                            return absl::OkStatus();
                          })
                   .ok());
}

TEST_P(DatabaseTest, TextIsNeverSql) {
  TenantStore tenants(*database_);
  const std::string name = "Robert'); drop table project;-- ? :v0 \"\\ \xF0\x9F\x98\x80";
  ASSERT_TRUE(tenants.insert_project({"p", "default", name, 1, {}}).ok());
  EXPECT_EQ(tenants.project("p")->name, name);
  EXPECT_EQ(tenants.project("' or '1'='1").status().code(), absl::StatusCode::kNotFound);
}

TEST_P(DatabaseTest, RefusesADatabaseOfANewerProgram) {
  ASSERT_TRUE(database_
                  ->transaction("t",
                                [](Sql& sql) {
                                  sql.run(sql.dialect() == Dialect::sqlite
                                              ? "pragma user_version=999"
                                              : "update schema_version set version=999");
                                  return absl::OkStatus();
                                })
                  .ok());
  database_.reset();
  EXPECT_EQ(Database::open(scratch_->where()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

// Gateways that start together find one schema.
TEST_P(DatabaseTest, ManyOpenAtOnce) {
  const auto fresh = *ScratchDatabase::make(GetParam());
  std::vector<std::thread> threads;
  std::vector<absl::Status> results(4);
  for (auto& result : results) {
    threads.emplace_back([&] { result = Database::open(fresh->where()).status(); });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_TRUE(result.ok()) << result;
}

// A page's cursor is an entry: what is made or archived meanwhile neither repeats nor hides any.
TEST_P(DatabaseTest, PagesAreStable) {
  TenantStore tenants(*database_);
  const auto make = [&](const std::string& id) {
    ASSERT_TRUE(tenants.insert_project({id, "default", id, 5, {}}).ok());
  };
  for (const char* id : {"m", "a", "z", "k"}) make(id);
  const auto ids = [](const absl::StatusOr<Page<ProjectRow>>& page) {
    std::vector<std::string> all;
    for (const auto& project : page->rows) all.push_back(project.id);
    return all;
  };
  const auto first = tenants.projects("default", {"", 2}, false);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(ids(first), ElementsAre("m", "a"));
  EXPECT_TRUE(first->has_more);
  make("b");
  ASSERT_TRUE(tenants.archive_project("a", 9).ok());
  const auto second = tenants.projects("default", {"a", 2}, false);
  EXPECT_THAT(ids(second), ElementsAre("z", "k"));
  const auto last = tenants.projects("default", {"k", 2}, false);
  EXPECT_THAT(ids(last), ElementsAre("b"));
  EXPECT_FALSE(last->has_more);
  EXPECT_EQ(tenants.projects("default", {"none", 2}, false).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_THAT(ids(tenants.projects("default", {"", 9}, true)),
              ElementsAre("m", "a", "z", "k", "b"));
  EXPECT_EQ(ids(tenants.projects("other", {"", 9}, true)).size(), 0u);
}

}  // namespace
}  // namespace plinth::store
