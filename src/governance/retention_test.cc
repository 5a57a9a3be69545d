#include "governance/retention.h"

#include "governance/testing/vault_fixture.h"

namespace plinth::governance {
namespace {

class RetentionTest : public VaultFixture {};

TEST_P(RetentionTest, ProjectsInheritWhatTheyDoNotSay) {
  EXPECT_EQ(retention_->of_organization("org").type, "modified_abuse_monitoring");
  EXPECT_EQ(retention_->of_project("a").type, "organization_default");
  EXPECT_FALSE(retention_->effective("org", "a").zero_data);
  ASSERT_TRUE(retention_->set_organization("org", {"zero_data_retention", 90, false}).ok());
  EXPECT_TRUE(retention_->effective("org", "a").zero_data);
  EXPECT_EQ(retention_->effective("org", "a").days, 90);
  ASSERT_TRUE(retention_->set_project("a", {"none", 7, false}).ok());
  EXPECT_FALSE(retention_->effective("org", "a").zero_data);
  EXPECT_EQ(retention_->effective("org", "a").days, 7);
  EXPECT_TRUE(retention_->effective("org", "b").zero_data);
  EXPECT_FALSE(retention_->effective("other", "b").zero_data);
  reopen();
  EXPECT_EQ(retention_->of_project("a"), (RetentionSetting{"none", 7, false}));
  EXPECT_TRUE(retention_->effective("org", "b").zero_data);
}

TEST_P(RetentionTest, HoldOfTheOrganizationIsOneOfEveryProject) {
  ASSERT_TRUE(retention_->set_organization("org", {"modified_abuse_monitoring", {}, true}).ok());
  EXPECT_TRUE(retention_->effective("org", "a").legal_hold);
  ASSERT_TRUE(retention_->set_project("a", {"none", {}, false}).ok());
  EXPECT_TRUE(retention_->effective("org", "a").legal_hold);
}

TEST_P(RetentionTest, EveryTypeThatOpenAiHasIsTakenAndNoOther) {
  for (const auto type : project_retention_types())
    EXPECT_TRUE(retention_->set_project("a", {std::string(type), {}, false}).ok()) << type;
  for (const auto type : organization_retention_types())
    EXPECT_TRUE(retention_->set_organization("org", {std::string(type), {}, false}).ok()) << type;
  for (const char* type : {"organization_default", "none"})
    EXPECT_FALSE(retention_->set_organization("org", {type, {}, false}).ok()) << type;
  EXPECT_FALSE(retention_->set_project("a", {"zero", {}, false}).ok());
  for (const std::int64_t days : {0, -1, 36'501})
    EXPECT_FALSE(retention_->set_project("a", {"none", days, false}).ok()) << days;
}

INSTANTIATE_TEST_SUITE_P(All, RetentionTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& dialect) { return store::dialect_name(dialect.param); });

}  // namespace
}  // namespace plinth::governance
