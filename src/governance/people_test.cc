// Roles, people and invites, on both databases.
#include "governance/people.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "governance/email.h"
#include "governance/invites.h"
#include "governance/limits.h"
#include "store/scratch_database.h"

namespace plinth::governance {
namespace {

using store::group_subject;
using store::user_subject;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

PermissionSet of(const char* role) { return built_in_role(role)->permissions; }

// Somebody with these rights in the organization or a project.
Principal somebody(PermissionSet set, const std::string& project = "") {
  Principal who;
  who.grants.add(project, set);
  return who;
}

class PeopleTest : public testing::TestWithParam<store::Dialect> {
 protected:
  void SetUp() override {
    auto scratch = store::ScratchDatabase::make(GetParam());
    ASSERT_TRUE(scratch.ok()) << scratch.status();
    scratch_ = *std::move(scratch);
    auto database = store::Database::open(scratch_->where());
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
    people_ =
        std::make_unique<People>(*database_, clock_, system_random_bytes, [this] { ++changes_; });
    invites_ = std::make_unique<Invites>(*database_, *people_, clock_, system_random_bytes);
    store::TenantStore tenants(*database_);
    for (const char* id : {"p", "q"})
      ASSERT_TRUE(tenants.insert_project({id, "default", id, 1, {}}).ok());
  }

  std::string add(const std::string& name) {
    store::PersonRow row;
    row.email = name + "@example.com";
    row.name = name;
    return people_->add(row)->id;
  }
  PermissionSet rights(const std::string& user, const std::string& project = "") {
    return *people_->permissions_of("default", user, project);
  }

  base::FakeClock clock_;
  int changes_ = 0;
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<People> people_;
  std::unique_ptr<Invites> invites_;
  const Principal owner_ = somebody(all_permissions());
};

INSTANTIATE_TEST_SUITE_P(Governance, PeopleTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

TEST_P(PeopleTest, RightsAddUpFromRolesAndGroups) {
  const auto ada = add("ada");
  EXPECT_TRUE(rights(ada).empty()) << "nobody has any by themselves";
  ASSERT_TRUE(people_->give(owner_, user_subject(ada), "", "billing_reader").ok());
  ASSERT_TRUE(people_->give(owner_, user_subject(ada), "p", "user").ok());
  const auto group = people_->create_group(owner_, "Readers")->id;
  ASSERT_TRUE(people_->give(owner_, group_subject(group), "q", "usage_reader").ok());
  EXPECT_EQ(rights(ada), of("billing_reader"));
  EXPECT_EQ(rights(ada, "p"), of("billing_reader") | of("user"));
  EXPECT_EQ(rights(ada, "q"), of("billing_reader"));
  ASSERT_TRUE(people_->add_to_group(owner_, group, ada).ok());
  EXPECT_EQ(rights(ada, "q"), of("billing_reader") | of("usage_reader"));
  ASSERT_TRUE(people_->remove_group(owner_, group).ok());
  EXPECT_EQ(rights(ada, "q"), of("billing_reader"));
  ASSERT_TRUE(people_->disable(owner_, ada).ok());
  EXPECT_TRUE(rights(ada, "p").empty());
  ASSERT_TRUE(people_->enable(owner_, ada).ok());
  EXPECT_EQ(rights(ada, "p"), of("billing_reader") | of("user"));
  EXPECT_TRUE(rights("user-nobody", "p").empty());
  EXPECT_GT(changes_, 6);
}

TEST_P(PeopleTest, ARoleInAProjectGivesNothingOfTheWholeInstallation) {
  const auto ada = add("ada");
  ASSERT_TRUE(people_->give(owner_, user_subject(ada), "p", "owner").ok());
  EXPECT_EQ(rights(ada, "p"), project_permissions());
  EXPECT_FALSE(rights(ada, "p").contains(Permission::operate));
  EXPECT_TRUE(rights(ada, "q").empty());
  EXPECT_TRUE(rights(ada).empty());
}

TEST_P(PeopleTest, NobodyGivesMoreThanTheyHave) {
  const auto ada = add("ada");
  const auto contributor = somebody(of("contributor"));
  EXPECT_EQ(people_->give(contributor, user_subject(ada), "", "owner").code(), kDenied);
  EXPECT_EQ(people_->give(contributor, user_subject(ada), "p", "user").code(), kDenied);
  EXPECT_TRUE(people_->give(contributor, user_subject(ada), "", "auditor").ok());
  const auto of_p = somebody(project_permissions(), "p");
  EXPECT_TRUE(people_->give(of_p, user_subject(ada), "p", "owner").ok());
  EXPECT_EQ(people_->give(of_p, user_subject(ada), "q", "user").code(), kDenied);
  EXPECT_EQ(people_->give(of_p, user_subject(ada), "", "user").code(), kDenied);
  EXPECT_EQ(people_->set_organization_word(contributor, ada, "owner").code(), kDenied);

  // Groups and custom roles are no way around it.
  const auto group = people_->create_group(owner_, "Owners")->id;
  ASSERT_TRUE(people_->give(owner_, group_subject(group), "", "owner").ok());
  EXPECT_EQ(people_->add_to_group(contributor, group, ada).code(), kDenied);
  const RoleSpec all{"All", {}, all_permissions()};
  EXPECT_EQ(people_->roles().create(contributor, {}, "role_1", all, 1).status().code(), kDenied);
  ASSERT_TRUE(
      people_->roles().create(contributor, {}, "role_1", {"Some", {}, of("auditor")}, 1).ok());
  EXPECT_EQ(people_->roles().update(contributor, {}, "role_1", all, 1).status().code(), kDenied);
  EXPECT_EQ(invites_->create(contributor, {"x@example.com", "owner"}).status().code(), kDenied);
  EXPECT_EQ(
      invites_->create(contributor, {"x@example.com", "reader", {{"p", "member"}}}).status().code(),
      kDenied);
}

TEST_P(PeopleTest, NobodyDismissesWhoHasMore) {
  const auto ada = add("ada"), bob = add("bob"), eve = add("eve");
  ASSERT_TRUE(people_->give(owner_, user_subject(ada), "", "owner").ok());
  ASSERT_TRUE(people_->give(owner_, user_subject(bob), "", "owner").ok());
  ASSERT_TRUE(people_->give(owner_, user_subject(eve), "p", "user").ok());
  const auto manager =
      somebody({Permission::manage_people, Permission::read_people, Permission::read_models,
                Permission::read_files, Permission::manage_files});
  EXPECT_EQ(people_->remove(manager, ada).code(), kDenied);
  EXPECT_EQ(people_->disable(manager, ada).code(), kDenied);
  EXPECT_EQ(people_->take(manager, user_subject(ada), "", "owner").code(), kDenied);
  EXPECT_TRUE(people_->remove(manager, eve).ok()) << "who only calls models";
  EXPECT_TRUE(people_->remove(owner_, ada).ok());
  EXPECT_EQ(people_->remove(owner_, bob).code(), kInvalid) << "the last owner";
}

TEST_P(PeopleTest, OpenAIsWordsInBothDirections) {
  const auto ada = add("ada"), bob = add("bob");
  const auto word = [&](const std::string& user) {
    return std::string(organization_word(*people_->assignments().all_roles_of_user(user)));
  };
  const auto project = [&](const std::string& user) {
    return std::string(project_word(*people_->assignments().all_roles_of_user(user), "p"));
  };
  EXPECT_EQ(word(ada), "reader");
  ASSERT_TRUE(people_->set_organization_word(owner_, ada, "owner").ok());
  ASSERT_TRUE(people_->set_organization_word(owner_, bob, "owner").ok());
  EXPECT_EQ(word(ada), "owner");
  ASSERT_TRUE(people_->give(owner_, user_subject(ada), "", "auditor").ok());
  ASSERT_TRUE(people_->set_organization_word(owner_, ada, "reader").ok());
  EXPECT_EQ(word(ada), "reader");
  EXPECT_EQ(rights(ada), of("auditor")) << "other roles stay";
  ASSERT_TRUE(people_->set_organization_word(owner_, ada, "reader").ok()) << "twice";
  EXPECT_EQ(people_->set_organization_word(owner_, bob, "reader").code(), kInvalid) << "the last";
  EXPECT_EQ(people_->set_organization_word(owner_, ada, "member").code(), kInvalid);

  ASSERT_TRUE(people_->set_project_word(owner_, ada, "p", "member").ok());
  EXPECT_EQ(project(ada), "member");
  EXPECT_TRUE(rights(ada, "p").covers(of("user")));
  ASSERT_TRUE(people_->set_project_word(owner_, ada, "p", "owner").ok());
  EXPECT_EQ(project(ada), "owner");
  ASSERT_TRUE(people_->set_project_word(owner_, ada, "p", "member").ok());
  EXPECT_EQ(rights(ada, "p"), of("user") | of("auditor"));
  EXPECT_EQ(people_->set_project_word(owner_, ada, "p", "reader").code(), kInvalid);
}

TEST_P(PeopleTest, ReaderIsNoLieAboutWhoOwnsThroughAGroup) {
  const auto ada = add("ada"), bob = add("bob");
  ASSERT_TRUE(people_->give(owner_, user_subject(bob), "", "owner").ok());
  const auto group = people_->create_group(owner_, "Owners")->id;
  ASSERT_TRUE(people_->give(owner_, group_subject(group), "", "owner").ok());
  ASSERT_TRUE(people_->add_to_group(owner_, group, ada).ok());
  const auto status = people_->set_organization_word(owner_, ada, "reader");
  EXPECT_EQ(status.code(), kInvalid);
  EXPECT_THAT(std::string(status.message()), HasSubstr("group"));
}

TEST_P(PeopleTest, CustomRoles) {
  const auto ada = add("ada");
  auto& roles = people_->roles();
  const RoleSpec spec{"Clerk", "counts", {Permission::read_usage, Permission::read_billing}};
  ASSERT_TRUE(roles.create(owner_, {}, "role_1", spec, 5).ok());
  EXPECT_EQ(roles.create(owner_, {}, "role_2", spec, 5).status().code(), kInvalid) << "its name";
  ASSERT_TRUE(people_->give(owner_, user_subject(ada), "", "role_1").ok());
  EXPECT_EQ(rights(ada), spec.permissions);
  ASSERT_TRUE(roles.update(owner_, {}, "role_1", {"Clerk", {}, {Permission::read_usage}}, 6).ok());
  EXPECT_EQ(rights(ada), PermissionSet{Permission::read_usage});
  EXPECT_EQ(roles.list({})->size(), built_in_roles().size() + 1);
  EXPECT_FALSE(roles.find({"default", "p"}, "role_1").ok()) << "it is the organization's";
  EXPECT_FALSE(people_->give(owner_, user_subject(ada), "p", "role_1").ok());
  ASSERT_TRUE(roles.remove(owner_, {}, "role_1").ok());
  EXPECT_TRUE(rights(ada).empty());

  EXPECT_EQ(roles.create(owner_, {"default", "p"}, "role_3", {"Op", {}, {Permission::operate}}, 5)
                .status()
                .code(),
            kInvalid)
      << "no project's";
  EXPECT_EQ(roles.update(owner_, {}, "owner", spec, 6).status().code(), kInvalid) << "built in";
  EXPECT_EQ(roles.remove(owner_, {}, "user").code(), kInvalid);
}

TEST_P(PeopleTest, CustomRolesAreBounded) {
  const RoleScope scope;
  for (std::size_t i = 0; i < kCustomRolesMax; ++i) {
    const auto id = std::to_string(i);
    ASSERT_TRUE(people_->roles().create(owner_, scope, id, {id, {}, of("user")}, 1).ok());
  }
  EXPECT_EQ(
      people_->roles().create(owner_, scope, "one", {"one", {}, of("user")}, 1).status().code(),
      kInvalid);
}

TEST_P(PeopleTest, AnInviteMakesAUser) {
  const auto made =
      invites_->create(owner_, {"Ada@example.com", "owner", {{"p", "member"}, {"q", "owner"}}});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->row.token_hash.find(made->token), std::string::npos);
  EXPECT_EQ(invite_status(made->row, clock_.unix_seconds()), "pending");
  EXPECT_EQ(invites_->accept(made->token + "x", {"Ada"}).status().code(),
            absl::StatusCode::kUnauthenticated);
  const auto ada = invites_->accept(made->token, {"Ada", "https://id.example", "7"});
  ASSERT_TRUE(ada.ok()) << ada.status();
  EXPECT_EQ(rights(ada->id, "q"), all_permissions());
  EXPECT_EQ(people_->users().find_by_identity("https://id.example", "7")->id, ada->id);
  EXPECT_EQ(people_->users().find_by_email("default", "ada@example.com")->id, ada->id);
  EXPECT_EQ(invites_->accept(made->token, {"Eve"}).status().code(),
            absl::StatusCode::kUnauthenticated)
      << "it is used up";
  EXPECT_EQ(invites_->remove(owner_, made->row.id).code(), kInvalid);
  EXPECT_EQ(invites_->create(owner_, {"ADA@example.com"}).status().code(), kInvalid)
      << "a user already";
}

TEST_P(PeopleTest, AnInviteExpires) {
  const auto made = *invites_->create(owner_, {"ada@example.com"});
  EXPECT_EQ(invites_->create(owner_, {"ada@example.com"}).status().code(), kInvalid);
  clock_.advance(kInviteTime);
  EXPECT_EQ(invite_status(made.row, clock_.unix_seconds()), "expired");
  EXPECT_FALSE(invites_->accept(made.token, {"Ada"}).ok());
  EXPECT_TRUE(invites_->create(owner_, {"ada@example.com"}).ok()) << "another one";
}

TEST_P(PeopleTest, AnInviteOfAProjectThatIsGoneByThen) {
  const auto made = *invites_->create(owner_, {"ada@example.com", "reader", {{"p", "member"}}});
  ASSERT_TRUE(store::TenantStore(*database_).archive_project("p", 9).ok());
  const auto ada = invites_->accept(made.token, {"Ada"});
  ASSERT_TRUE(ada.ok()) << ada.status();
  EXPECT_TRUE(rights(ada->id, "p").empty());
  EXPECT_EQ(
      invites_->create(owner_, {"b@example.com", "reader", {{"p", "member"}}}).status().code(),
      kInvalid);
  EXPECT_EQ(
      invites_->create(owner_, {"b@example.com", "reader", {{"nobody", "member"}}}).status().code(),
      kInvalid);
}

TEST_P(PeopleTest, WhoseProviderKnowsTheirAddressNeedsNoToken) {
  ASSERT_TRUE(invites_->create(owner_, {"ada@example.com"}).ok());
  const Joining joining{"Ada", "https://id.example", "7"};
  EXPECT_EQ(invites_->accept_by_email("default", "eve@example.com", joining).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_TRUE(invites_->accept_by_email("default", "ADA@example.com", joining).ok());
  EXPECT_FALSE(invites_->accept_by_email("default", "ada@example.com", joining).ok());
}

TEST(Email, IsOnePlainAddress) {
  for (const char* good : {"a@b", "Ada.Lovelace+x@mail.example.com", "o'hara@example.com",
                           "\x21#$%&'*/=?^_`{|}~@x-1.y"}) {
    EXPECT_TRUE(check_email(good).ok()) << good;
  }
  const std::string long_label(64, 'a');
  for (const std::string& bad : {std::string(),
                                 std::string("a"),
                                 std::string("@b"),
                                 std::string("a@"),
                                 std::string("a b@c"),
                                 std::string("a@b c"),
                                 std::string("a@b\r\nBcc: eve@example.com"),
                                 std::string("a\r\nBcc: x@y"),
                                 std::string("a@b\n"),
                                 std::string("Ada <ada@example.com>"),
                                 std::string("a@b,c@d"),
                                 std::string("\"a b\"@c"),
                                 std::string("a@b@c"),
                                 std::string("a@-b"),
                                 std::string("a@b-"),
                                 std::string("a@b..c"),
                                 std::string("a@.b"),
                                 std::string("a@b."),
                                 "a@" + long_label,
                                 long_label + "a@b",
                                 std::string("a@b\0c", 5),
                                 std::string("\xc3\xa4@b"),
                                 std::string(300, 'a') + "@b"}) {
    EXPECT_EQ(check_email(bad).code(), kInvalid) << bad;
  }
}

TEST(GrantsOf, AProjectHoldsNothingOfTheWholeInstallation) {
  Grants grants;
  grants.add("p", all_permissions());
  EXPECT_EQ(grants.in("p"), project_permissions());
  EXPECT_TRUE(grants.in("").empty());
  EXPECT_TRUE(grants.in("q").empty());
  grants.add("", {Permission::operate});
  EXPECT_EQ(grants.in("q"), PermissionSet{Permission::operate});
  EXPECT_EQ(grants.anywhere(), project_permissions() | PermissionSet{Permission::operate});
}

TEST_P(PeopleTest, AnInviteNamesSoManyProjects) {
  InviteSpec spec{"ada@example.com", "reader", {}};
  for (std::size_t i = 0; i <= kInviteProjectsMax; ++i) spec.projects.emplace_back("p", "member");
  EXPECT_EQ(invites_->create(owner_, spec).status().code(), kInvalid);
  spec.projects.pop_back();
  EXPECT_TRUE(invites_->create(owner_, spec).ok()) << "as often as it likes";
}

TEST(PermissionSets, AreNamed) {
  EXPECT_THAT(permission_names({Permission::operate, Permission::infer}),
              ElementsAre("infer", "operate"));
  EXPECT_EQ(*parse_permissions({"operate", "infer", "infer"}),
            (PermissionSet{Permission::infer, Permission::operate}));
  EXPECT_EQ(parse_permissions({"infer", "everything"}).status().code(), kInvalid);
  EXPECT_EQ(*permissions_from_row(to_row(all_permissions())), all_permissions());
  for (const char* damaged : {"", "{}", "[1]", R"(["fly"])"}) {
    EXPECT_EQ(permissions_from_row(damaged).status().code(), absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace plinth::governance
