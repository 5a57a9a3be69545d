// What holds of acts of administration as a whole, on both databases.
#include "governance/governance.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "store/scratch_database.h"

namespace plinth::governance {
namespace {

class GovernanceTest : public testing::TestWithParam<store::Dialect> {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "governance_XXXXXX";
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
  std::size_t records() {
    store::AuditFilter filter;
    filter.organization = kDefaultTenant;
    filter.limit = 100;
    return governance_->audit().list(filter)->rows.size();
  }

  std::string home_;
  base::FakeClock clock_;
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Governance> governance_;
};

INSTANTIATE_TEST_SUITE_P(Governance, GovernanceTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

TEST_P(GovernanceTest, TheFirstStartIsOnRecordOnce) {
  EXPECT_TRUE(governance_->first_start()->created);
  EXPECT_EQ(records(), 2u);
  EXPECT_FALSE(governance_->first_start()->created);
  EXPECT_EQ(records(), 2u);
}

// Although it was remembered as good.
TEST_P(GovernanceTest, ARevokedKeyIsRefusedOnceItsRevocationIsDone) {
  KeySpec spec;
  spec.project = kDefaultTenant;
  const auto key = *governance_->keys().create(spec);
  EXPECT_TRUE(governance_->keys().authenticate(key.text).ok());
  const auto status = governance_->on_record([&](AuditEvent& event) -> absl::Status {
    event = {"api_key.deleted", {"api_key", "admin"}};
    return governance_->keys().revoke(key.row.id);
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(absl::IsUnauthenticated(governance_->keys().authenticate(key.text).status()));
}

TEST_P(GovernanceTest, AnActThatFailsIsNeitherStoredNorInForceNorOnRecord) {
  const store::LimitRow row{"project", "p", "m", "requests_per_minute", 5};
  const auto status = governance_->on_record([&](AuditEvent& event) -> absl::Status {
    event = {"rate_limit.updated", {"api_key", "admin"}};
    EXPECT_TRUE(governance_->admission().set_limit(row).ok());
    return base::invalid_argument("on second thoughts");
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  Principal principal;
  principal.project = "p";
  EXPECT_FALSE(governance_->admission().view(principal, {"m"}).requests.has_value());
  EXPECT_TRUE(governance_->limits().all_limits()->empty());
  EXPECT_EQ(records(), 0u);
}

}  // namespace
}  // namespace plinth::governance
