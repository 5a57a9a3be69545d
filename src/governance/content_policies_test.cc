#include "governance/content_policies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/scratch_database.h"

namespace plinth::governance {
namespace {

using testing::ElementsAre;

ContentPolicy policy(const std::string& name, const std::string& blocklist) {
  ContentPolicy made = off_content_policy();
  made.name = name;
  made.blocklists.push_back({blocklist, ContentSource::prompt, true});
  return made;
}

class ContentPoliciesTest : public testing::Test {
 protected:
  void SetUp() override {
    scratch_ = *store::ScratchDatabase::make(store::Dialect::sqlite);
    database_ = *store::Database::open(scratch_->where());
    documents_ = std::make_unique<store::DocumentStore>(*database_);
    policies_ = *ContentPolicies::open(*documents_, clock_);
  }
  bool blocks(const std::string& name, const std::string& text) {
    const auto filter = policies_->filter("p", name);
    EXPECT_TRUE(filter.ok()) << filter.status();
    return filter.ok() && check_text(**filter, ContentSource::prompt, text).verdict.blocked;
  }

  base::FakeClock clock_;
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::DocumentStore> documents_;
  std::unique_ptr<ContentPolicies> policies_;
};

TEST_F(ContentPoliciesTest, BuiltInOnesAreEverywhere) {
  EXPECT_TRUE(policies_->filter("anything", "Plinth.Default").ok());
  EXPECT_TRUE(policies_->filter("anything", "Microsoft.DefaultV2").ok());
  EXPECT_FALSE(policies_->put("p", default_content_policy()).ok());
  EXPECT_TRUE(absl::IsNotFound(policies_->remove("p", "Plinth.Off")));
  EXPECT_TRUE(absl::IsNotFound(policies_->filter("p", "none").status()));
}

TEST_F(ContentPoliciesTest, ItemsTakeEffectAtOnceAndStay) {
  ASSERT_TRUE(policies_->put_blocklist("p", "list").ok());
  ASSERT_TRUE(policies_->put("p", policy("strict", "list")).ok());
  EXPECT_FALSE(blocks("strict", "a bluebird"));
  ASSERT_TRUE(policies_->put_items("p", "list", {{"b", {"bluebird"}}, {"a", {"ab+c", true}}}).ok());
  EXPECT_TRUE(blocks("strict", "a bluebird"));
  EXPECT_TRUE(blocks("strict", "abbbc"));
  policies_ = *ContentPolicies::open(*documents_, clock_);
  EXPECT_TRUE(blocks("strict", "a bluebird"));
  EXPECT_EQ(policies_->items("p", "list")->at(0).name, "a");
  ASSERT_TRUE(policies_->remove_item("p", "list", "b").ok());
  EXPECT_FALSE(blocks("strict", "a bluebird"));
  EXPECT_FALSE(policies_->remove_blocklist("p", "list").ok()) << "a policy uses it";
  ASSERT_TRUE(policies_->remove("p", "strict").ok());
  EXPECT_TRUE(policies_->remove_blocklist("p", "list").ok());
  EXPECT_TRUE(policies_->blocklists("p").empty());
  EXPECT_TRUE(documents_->all("blocklist_item")->empty());
}

TEST_F(ContentPoliciesTest, WhatCannotBeCompiledChangesNothing) {
  ASSERT_TRUE(policies_->put_blocklist("p", "list").ok());
  ASSERT_TRUE(policies_->put("p", policy("strict", "list")).ok());
  EXPECT_TRUE(absl::IsNotFound(policies_->put("p", policy("strict", "none"))));
  EXPECT_FALSE(
      policies_->put_items("p", "list", {{"fine", {"bluebird"}}, {"bad", {"(", true}}}).ok());
  EXPECT_FALSE(blocks("strict", "a bluebird"));
  EXPECT_TRUE(documents_->all("blocklist_item")->empty());
}

TEST_F(ContentPoliciesTest, ProjectsDoNotShareThem) {
  ASSERT_TRUE(policies_->put_blocklist("p", "list").ok());
  ASSERT_TRUE(policies_->put("p", policy("strict", "list")).ok());
  EXPECT_TRUE(absl::IsNotFound(policies_->filter("q", "strict").status()));
  EXPECT_TRUE(absl::IsNotFound(policies_->put("q", policy("strict", "list"))));
}

TEST_F(ContentPoliciesTest, AnotherGatewaysChangesAreRead) {
  auto other = *ContentPolicies::open(*documents_, clock_);
  ASSERT_TRUE(other->put_blocklist("p", "list").ok());
  ASSERT_TRUE(other->put("p", policy("strict", "list")).ok());
  ASSERT_TRUE(policies_->refresh().ok());
  EXPECT_FALSE(blocks("strict", "a bluebird"));
  ASSERT_TRUE(other->put_items("p", "list", {{"b", {"bluebird"}}}).ok());
  ASSERT_TRUE(policies_->refresh().ok());
  EXPECT_TRUE(blocks("strict", "a bluebird"));
}

TEST(ContentVerdict, SeveralTextsAreAsBadAsTheWorst) {
  ContentVerdict all, worse;
  all.categories[0].severity = Severity::low;
  worse.blocked = true;
  worse.categories[0] = {true, Severity::high, true};
  worse.jailbreak = {true, true, true};
  merge(worse, all);
  EXPECT_TRUE(all.blocked);
  EXPECT_EQ(all.categories[0].severity, Severity::high);
  EXPECT_TRUE(all.jailbreak.filtered);
  forget_jailbreak(all);
  EXPECT_TRUE(all.blocked) << "for the category";
  ContentVerdict jailbreak;
  jailbreak.blocked = true;
  jailbreak.jailbreak = {true, true, true};
  forget_jailbreak(jailbreak);
  EXPECT_FALSE(jailbreak.blocked);
}

}  // namespace
}  // namespace plinth::governance
