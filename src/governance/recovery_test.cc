#include "governance/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "store/scratch_database.h"

namespace plinth::governance {
namespace {

using testing::HasSubstr;

class RecoveryTest : public testing::TestWithParam<store::Dialect> {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "recovery_XXXXXX";
    home_ = ::mkdtemp(pattern.data());
    scratch_ = *store::ScratchDatabase::make(GetParam());
    database_ = *store::Database::open(scratch_->where());
    auto governance = Governance::open(home_, *database_, clock_);
    ASSERT_TRUE(governance.ok()) << governance.status();
    governance_ = *std::move(governance);
  }
  void TearDown() override {
    governance_.reset();
    database_.reset();
    std::filesystem::remove_all(home_);
  }
  std::vector<AuditEntry> records() {
    store::AuditFilter filter;
    filter.organization = kDefaultTenant;
    filter.limit = 100;
    return governance_->audit().list(filter)->rows;
  }

  std::string home_;
  base::FakeClock clock_;
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Governance> governance_;
};

INSTANTIATE_TEST_SUITE_P(Governance, RecoveryTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

TEST_P(RecoveryTest, MakesAnAdminKeyAndSaysOnRecordWhoAsked) {
  const auto answer = answer_recovery(*governance_, 0, to_text({"ada", "default", 3600}));
  const auto made = parse_recovered(answer);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->expires_unix_s, clock_.unix_seconds() + 3600);
  const auto principal = governance_->keys().authenticate(made->key);
  ASSERT_TRUE(principal.ok()) << principal.status();
  EXPECT_EQ(principal->role, Role::admin);
  EXPECT_EQ(principal->key_id, made->id);
  const auto told = records();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].event.type, "api_key.recovered");
  EXPECT_EQ(told[0].event.actor.type, "local_user");
  EXPECT_EQ(told[0].event.actor.id, "uid:0");
  EXPECT_EQ(told[0].event.actor.owner, "root");
  EXPECT_EQ(told[0].event.resources, std::vector{made->id});
  EXPECT_EQ(answer.find("sk-plinth-"), answer.rfind("sk-plinth-"));
  clock_.advance(std::chrono::seconds(3600));
  EXPECT_TRUE(absl::IsUnauthenticated(governance_->keys().authenticate(made->key).status()));
}

TEST_P(RecoveryTest, RefusesWithoutAKeyAndWithoutARecord) {
  for (const auto& [request, word] :
       {std::pair<RecoveryRequest, const char*>{{"", "default", {}}, "a name has"},
        {{std::string(257, 'x'), "default", {}}, "a name has"},
        {{std::string("a\0b", 3), "default", {}}, "zero bytes"},
        {{"ada", "default", 0}, "good for"},
        {{"ada", "default", INT64_MAX}, "good for"},
        {{"ada", "nobody", {}}, "nobody"}}) {
    const auto made = parse_recovered(answer_recovery(*governance_, 0, to_text(request)));
    ASSERT_FALSE(made.ok()) << word;
    EXPECT_THAT(std::string(base::message(made.status())), HasSubstr(word));
    EXPECT_FALSE(recover_admin_key(*governance_, request, 0).ok()) << word;
  }
  for (const char* text : {"", "[]", "{}", R"({"name":1})",
                           R"({"name":"a","organization":"b",)"
                           R"("lifetime_s":1.5})"}) {
    EXPECT_FALSE(parse_recovered(answer_recovery(*governance_, 0, text)).ok()) << text;
  }
  EXPECT_TRUE(records().empty());
  EXPECT_TRUE(governance_->keys().list(Role::admin, "", {})->rows.empty());
}

// The chain's row stands in the way, as that of another gateway may.
TEST_P(RecoveryTest, MakesNoKeyWhereTheRecordCannotBeWritten) {
  ASSERT_TRUE(recover_admin_key(*governance_, {}, 0).ok());
  ASSERT_TRUE(database_
                  ->transaction("break the log",
                                [](store::Sql& sql) {
                                  sql.run("drop table audit_resource");
                                  return absl::OkStatus();
                                })
                  .ok());
  EXPECT_FALSE(recover_admin_key(*governance_, {}, 0).ok());
  EXPECT_EQ(governance_->keys().list(Role::admin, "", {})->rows.size(), 1u);
}

}  // namespace
}  // namespace plinth::governance
