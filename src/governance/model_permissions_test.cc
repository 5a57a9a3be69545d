#include "governance/model_permissions.h"

#include <gtest/gtest.h>

#include "governance/deployment_limits.h"
#include "store/scratch_database.h"

namespace plinth::governance {
namespace {

class ModelPermissionsTest : public testing::TestWithParam<store::Dialect> {
 protected:
  void SetUp() override {
    scratch_ = *store::ScratchDatabase::make(GetParam());
    database_ = *store::Database::open(scratch_->where());
    store_ = std::make_unique<store::DocumentStore>(*database_);
    permissions_ = *ModelPermissions::open(*store_, clock_);
  }
  bool may(const char* project, const char* name, const char* model) const {
    return permissions_->may_call(project, {name, model});
  }

  base::FakeClock clock_;
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::DocumentStore> store_;
  std::unique_ptr<ModelPermissions> permissions_;
};

INSTANTIATE_TEST_SUITE_P(Governance, ModelPermissionsTest,
                         testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

TEST_P(ModelPermissionsTest, AllowsEverythingWithoutARow) {
  EXPECT_TRUE(may("a", "x", "x"));
  EXPECT_EQ(permissions_->of("a"), ModelPermission());
  EXPECT_TRUE(permissions_->remove("a").ok());
}

TEST_P(ModelPermissionsTest, AnAllowListAllowsWhatItNamesInItsProjectAlone) {
  ASSERT_TRUE(permissions_->set("a", {true, {"y", "x", "y"}}).ok());
  EXPECT_EQ(permissions_->of("a"), (ModelPermission{true, {"x", "y"}}));
  EXPECT_TRUE(may("a", "x", "x"));
  EXPECT_TRUE(may("a", "deployment", "y")) << "by its model";
  EXPECT_TRUE(may("a", "y", "z")) << "by its own name";
  EXPECT_FALSE(may("a", "z", "z"));
  EXPECT_TRUE(may("b", "z", "z"));
  ASSERT_TRUE(permissions_->set("a", {true, {}}).ok());
  EXPECT_FALSE(may("a", "x", "x"));
}

TEST_P(ModelPermissionsTest, ADenyListForbidsAModelByEveryName) {
  ASSERT_TRUE(permissions_->set("a", {false, {"x"}}).ok());
  EXPECT_FALSE(may("a", "x", "x"));
  EXPECT_FALSE(may("a", "deployment", "x"));
  EXPECT_FALSE(may("a", "x", "y"));
  EXPECT_TRUE(may("a", "deployment", "y"));
  ASSERT_TRUE(permissions_->remove("a").ok());
  EXPECT_TRUE(may("a", "x", "x"));
}

TEST_P(ModelPermissionsTest, OtherGatewaysSeeItOnceTheyReadAgain) {
  const auto other = *ModelPermissions::open(*store_, clock_);
  ASSERT_TRUE(permissions_->set("a", {false, {"x"}}).ok());
  EXPECT_TRUE(other->may_call("a", {"x"}));
  ASSERT_TRUE(other->refresh().ok());
  EXPECT_FALSE(other->may_call("a", {"x"}));
  ASSERT_TRUE(permissions_->remove("a").ok());
  ASSERT_TRUE(other->refresh().ok());
  EXPECT_TRUE(other->may_call("a", {"x"}));
}

TEST_P(ModelPermissionsTest, ARuleThatCannotBeReadAllowsNothing) {
  for (const char* body :
       {"", "[]", R"({"mode":"maybe","models":[]})", R"({"mode":"deny_list","models":[1]})"}) {
    ASSERT_TRUE(store_->put({"model_permissions", "a", "", body, 1, 1}, 1).ok());
    ASSERT_TRUE(permissions_->refresh().ok());
    EXPECT_FALSE(may("a", "x", "x")) << body;
    EXPECT_TRUE(may("b", "x", "x")) << body;
  }
}

TEST_P(ModelPermissionsTest, RefusesWhatIsTooMuch) {
  EXPECT_TRUE(absl::IsInvalidArgument(permissions_->set("a", {true, {""}})));
  EXPECT_TRUE(absl::IsInvalidArgument(
      permissions_->set("a", {true, {std::string(kModelNameBytesMax + 1, 'x')}})));
  EXPECT_TRUE(absl::IsInvalidArgument(
      permissions_->set("a", {false, std::vector<std::string>(kPermittedModelsMax + 1, "x")})));
  EXPECT_TRUE(may("a", "x", "x"));
}

TEST_P(ModelPermissionsTest, AModelMayBeSharedWithProjectsThatDoNotOwnIt) {
  ASSERT_TRUE(permissions_->give("ft", "a").ok());
  ASSERT_TRUE(permissions_->share("ft", "b", "cp_1").ok());
  ASSERT_TRUE(permissions_->share("ft", "b", "cp_2").ok());
  EXPECT_TRUE(may("b", "ft", "ft"));
  EXPECT_FALSE(may("c", "ft", "ft"));
  EXPECT_FALSE(permissions_->owns("b", "ft"));
  EXPECT_EQ(permissions_->owners("ft"), std::vector<std::string>{"a"});
  const auto grants = permissions_->grants("ft");
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].id, "cp_1") << "the first stays";
  const auto again = *ModelPermissions::open(*store_, clock_);
  EXPECT_EQ(again->grants("ft"), grants);
  EXPECT_TRUE(again->may_call("b", {"ft"}));
  ASSERT_TRUE(permissions_->unshare("ft", "b").ok());
  EXPECT_FALSE(may("b", "ft", "ft"));
  ASSERT_TRUE(again->refresh().ok());
  EXPECT_FALSE(again->may_call("b", {"ft"}));
}

TEST_P(ModelPermissionsTest, WhatIsSharedEndsWithItsOwner) {
  ASSERT_TRUE(permissions_->give("ft", "a").ok());
  ASSERT_TRUE(permissions_->share("ft", "b", "cp_1").ok());
  ASSERT_TRUE(permissions_->take("ft", "c").ok());
  EXPECT_EQ(permissions_->grants("ft").size(), 1u) << "was never its owner";
  ASSERT_TRUE(permissions_->take("ft", "a").ok());
  EXPECT_TRUE(permissions_->grants("ft").empty());
  EXPECT_TRUE((*ModelPermissions::open(*store_, clock_))->grants("ft").empty());
}

}  // namespace
}  // namespace plinth::governance
