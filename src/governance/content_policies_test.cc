#include "governance/content_policies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "governance/testing/vault_fixture.h"
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

ContentPolicy off_named(const std::string& name) {
  ContentPolicy made = off_content_policy();
  made.name = name;
  return made;
}

class ContentPoliciesTest : public VaultFixture {
 protected:
  void SetUp() override {
    VaultFixture::SetUp();
    tenants_ = std::make_unique<store::TenantStore>(*database_);
    ASSERT_TRUE(tenants_->ensure_organization({"org", "org", 1}).ok());
    for (const char* project : {"p", "q"})
      ASSERT_TRUE(tenants_->insert_project({project, "org", project, 1, {}}).ok());
    policies_ = open();
  }
  std::unique_ptr<ContentPolicies> open() {
    auto opened = ContentPolicies::open(*documents_, *vault_, *tenants_, clock_);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }
  // A policy of project p that uses a list with this one item.
  void make_strict(const std::string& term) {
    ASSERT_TRUE(policies_->put_blocklist("p", "list").ok());
    ASSERT_TRUE(policies_->put("p", policy("strict", "list")).ok());
    ASSERT_TRUE(policies_->put_items("p", "list", {{"b", {term}}}).ok());
  }
  // Everything that the database's files say, its log too.
  std::string stored_bytes() {
    std::string all;
    for (const char* end : {"", "-wal", "-journal"}) {
      const auto bytes = base::read_file(scratch_->where() + end, 64u << 20);
      if (bytes.ok()) all += *bytes;
    }
    return all;
  }
  bool blocks(const std::string& name, const std::string& text) {
    const auto filter = policies_->filter("p", name);
    EXPECT_TRUE(filter.ok()) << filter.status();
    return filter.ok() && check_text(**filter, ContentSource::prompt, text).verdict.blocked;
  }

  std::unique_ptr<store::TenantStore> tenants_;
  std::unique_ptr<ContentPolicies> policies_;
};

INSTANTIATE_TEST_SUITE_P(Governance, ContentPoliciesTest,
                         testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

TEST_P(ContentPoliciesTest, BuiltInOnesAreEverywhere) {
  EXPECT_TRUE(policies_->filter("anything", "Plinth.Default").ok());
  EXPECT_TRUE(policies_->filter("anything", "Microsoft.DefaultV2").ok());
  EXPECT_FALSE(policies_->put("p", default_content_policy()).ok());
  EXPECT_TRUE(absl::IsNotFound(policies_->remove("p", "Plinth.Off")));
  EXPECT_TRUE(absl::IsNotFound(policies_->filter("p", "none").status()));
}

TEST_P(ContentPoliciesTest, ItemsTakeEffectAtOnceAndStay) {
  ASSERT_TRUE(policies_->put_blocklist("p", "list").ok());
  ASSERT_TRUE(policies_->put("p", policy("strict", "list")).ok());
  EXPECT_FALSE(blocks("strict", "a bluebird"));
  ASSERT_TRUE(policies_->put_items("p", "list", {{"b", {"bluebird"}}, {"a", {"ab+c", true}}}).ok());
  EXPECT_TRUE(blocks("strict", "a bluebird"));
  EXPECT_TRUE(blocks("strict", "abbbc"));
  policies_ = open();
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

TEST_P(ContentPoliciesTest, WhatCannotBeCompiledChangesNothing) {
  ASSERT_TRUE(policies_->put_blocklist("p", "list").ok());
  ASSERT_TRUE(policies_->put("p", policy("strict", "list")).ok());
  EXPECT_TRUE(absl::IsNotFound(policies_->put("p", policy("strict", "none"))));
  EXPECT_FALSE(
      policies_->put_items("p", "list", {{"fine", {"bluebird"}}, {"bad", {"(", true}}}).ok());
  EXPECT_FALSE(blocks("strict", "a bluebird"));
  EXPECT_TRUE(documents_->all("blocklist_item")->empty());
}

TEST_P(ContentPoliciesTest, ProjectsDoNotShareThem) {
  ASSERT_TRUE(policies_->put_blocklist("p", "list").ok());
  ASSERT_TRUE(policies_->put("p", policy("strict", "list")).ok());
  EXPECT_TRUE(absl::IsNotFound(policies_->filter("q", "strict").status()));
  EXPECT_TRUE(absl::IsNotFound(policies_->put("q", policy("strict", "list"))));
}

TEST_P(ContentPoliciesTest, AnotherGatewaysChangesAreRead) {
  auto other = open();
  ASSERT_TRUE(other->put_blocklist("p", "list").ok());
  ASSERT_TRUE(other->put("p", policy("strict", "list")).ok());
  ASSERT_TRUE(policies_->refresh().ok());
  EXPECT_FALSE(blocks("strict", "a bluebird"));
  ASSERT_TRUE(other->put_items("p", "list", {{"b", {"bluebird"}}}).ok());
  ASSERT_TRUE(policies_->refresh().ok());
  EXPECT_TRUE(blocks("strict", "a bluebird"));
}

TEST_P(ContentPoliciesTest, ItemsLieSealed) {
  make_strict("bluebirdcanary");
  const auto rows = *documents_->all("blocklist_item");
  for (const auto& row : rows) EXPECT_EQ(row.body.find("bluebird"), std::string::npos) << row.body;
  EXPECT_EQ(stored_bytes().find("bluebirdcanary"), std::string::npos);
  policies_ = open();
  EXPECT_EQ(policies_->items("p", "list")->at(0).item.pattern, "bluebirdcanary");
}

// As an older version wrote them.
TEST_P(ContentPoliciesTest, WhatLiesPlainIsSealedAtTheStart) {
  make_strict("first");
  std::string plain;
  for (int i = 0; i < 300; ++i) {
    const std::string name = "i" + std::to_string(i);
    ASSERT_TRUE(documents_
                    ->put({"blocklist_item", "p/list", name,
                           R"({"pattern":"bluebirdcanary)" + name + R"("})", 5, 6},
                          1'000)
                    .ok());
  }
  if (GetParam() == store::Dialect::sqlite) {
    ASSERT_NE(stored_bytes().find("bluebirdcanary"), std::string::npos);
  }
  policies_ = open();
  EXPECT_TRUE(blocks("strict", "a bluebirdcanaryi299"));
  const auto rows = *documents_->all("blocklist_item");
  for (const auto& row : rows) {
    EXPECT_EQ(row.body.find("pattern"), std::string::npos) << row.body;
    if (row.name == "i7") {
      EXPECT_EQ(row.created_s, 5);
    }
  }
  EXPECT_EQ(stored_bytes().find("bluebirdcanary"), std::string::npos);
  policies_ = open();
  EXPECT_TRUE(blocks("strict", "a bluebirdcanaryi0")) << "not sealed twice";
}

// Their key is gone: nothing passes that they might have held back.
TEST_P(ContentPoliciesTest, AShreddedBlocklistLetsNothingPass) {
  make_strict("bluebird");
  ASSERT_TRUE(policies_->put("p", off_named("free")).ok());
  ASSERT_TRUE(vault_->shred("org", "p").ok());
  ASSERT_TRUE(policies_->refresh().ok());
  EXPECT_TRUE(absl::IsUnavailable(policies_->filter("p", "strict").status()));
  EXPECT_TRUE(policies_->filter("p", "free").ok());
  EXPECT_EQ(policies_->items("p", "list")->at(0).item.pattern, "");
  EXPECT_TRUE(absl::IsFailedPrecondition(policies_->put_items("p", "list", {{"c", {"wren"}}})));
  policies_ = open();
  EXPECT_TRUE(absl::IsUnavailable(policies_->filter("p", "strict").status()));
  ASSERT_TRUE(policies_->remove_item("p", "list", "b").ok());
  EXPECT_TRUE(policies_->filter("p", "strict").ok());
}

TEST_P(ContentPoliciesTest, ItemsThatChangePlacesDoNotOpen) {
  make_strict("bluebird");
  auto row = documents_->all("blocklist_item")->at(0);
  row.name = "c";
  ASSERT_TRUE(documents_->put(row, 100).ok());
  policies_ = open();
  EXPECT_TRUE(absl::IsUnavailable(policies_->filter("p", "strict").status()));
}

// An hour after a rotation the old key goes, and nothing may lie under it by then.
TEST_P(ContentPoliciesTest, ItemsFollowARotation) {
  make_strict("bluebird");
  const auto old_id = ItemSeal::key_of(documents_->all("blocklist_item")->at(0));
  ASSERT_FALSE(old_id.empty());
  ASSERT_TRUE(vault_->renew_keys("org", "p").ok());
  content_->also_leave([&](const std::string& key) { return policies_->leave_key(key); });
  clock_.advance(std::chrono::hours(2));
  EXPECT_EQ(sweep().keys_destroyed, 1u);
  EXPECT_FALSE(vault_->key(old_id).ok());
  EXPECT_NE(ItemSeal::key_of(documents_->all("blocklist_item")->at(0)), old_id);
  policies_ = open();
  EXPECT_TRUE(blocks("strict", "a bluebird"));
}

// What cannot be sealed anew keeps its key.
TEST_P(ContentPoliciesTest, AKeyThatIsStillNeededStays) {
  make_strict("bluebird");
  ASSERT_TRUE(vault_->renew_keys("org", "p").ok());
  content_->also_leave([](const std::string&) { return base::unavailable("busy"); });
  clock_.advance(std::chrono::hours(2));
  ContentSweep done;
  EXPECT_FALSE(content_->sweep(done).ok());
  EXPECT_EQ(done.keys_destroyed, 0u);
  policies_ = open();
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
