// Signing in as a whole: provider, people, sessions and the record of them.
#include "governance/sign_in.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "governance/governance.h"
#include "governance/sign_in_limits.h"
#include "governance/testing/fake_provider.h"

namespace plinth::governance {
namespace {

using testing::HasSubstr;

constexpr const char* kBack = "https://plinth.example/auth/oidc/done";
constexpr const char* kPassword = "a phrase that nobody guesses";
constexpr const char* kSource = "192.0.2.7";
constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
constexpr auto kRefused = absl::StatusCode::kUnauthenticated;

class SignInTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "sign_in_XXXXXX";
    home_ = ::mkdtemp(pattern.data());
    database_ = *store::Database::open(home_ + "/plinth.db");
    governance_ = *Governance::open(home_, *database_, clock_, {"", false});
    owner_.grants.add("", all_permissions());
    open({});
  }
  void TearDown() override {
    governance_.reset();
    std::filesystem::remove_all(home_);
  }

  void open(const EnrolmentOptions& enrolment) {
    SignInOptions options;
    options.oidc.emplace();
    options.oidc->issuer = FakeProvider::kIssuer;
    options.oidc->client_id = "plinth-ui";
    options.oidc->audiences = {"api://plinth"};
    options.oidc->redirect_uris = {kBack};
    options.oidc->role_names = {{"Plinth.Owner", "owner"},
                                {"Plinth.Infer", "default:user"},
                                {"Plinth.Gone", "gone:user"},
                                {"Plinth.Typo", "no-such-role"}};
    options.fetch = fake_.fetch();
    options.post = fake_.post();
    options.enrolment = enrolment;
    const auto opened = governance_->open_sign_in(home_, clock_, options);
    ASSERT_TRUE(opened.ok()) << opened;
  }
  SignIn& sign_in() { return *governance_->sign_in(); }

  // Claims of somebody with this address.
  base::json::object claims(const std::string& email, bool verified = true) {
    auto made = fake_.claims("api://plinth");
    made["email"] = email;
    made["email_verified"] = verified;
    return made;
  }
  absl::StatusOr<Principal> ask(const base::json::object& of) {
    return sign_in().by_token(fake_.token(of));
  }
  std::string add(const std::string& email, const std::string& project = "default") {
    store::PersonRow row;
    row.email = email;
    const auto id = governance_->people().add(row)->id;
    if (!project.empty()) give(id, project);
    return id;
  }
  void give(const std::string& user, const std::string& project) {
    ASSERT_TRUE(
        governance_->people().give(owner_, store::user_subject(user), project, "user").ok());
  }
  std::string add_local(const std::string& email) {
    const auto id = add(email);
    const auto hash = SignIn::new_password_hash(person(id), kPassword);
    EXPECT_TRUE(hash.ok() && sign_in().set_password(person(id), *hash).ok());
    return id;
  }
  store::PersonRow person(const std::string& id) {
    return *governance_->people().users().find("default", id);
  }
  std::vector<AuditEntry> records(const std::string& type) {
    store::AuditFilter filter;
    filter.organization = "default";
    filter.types = {type};
    filter.limit = 100;
    return governance_->audit().list(filter)->rows;
  }

  std::string home_;
  base::FakeClock clock_;
  FakeProvider fake_{clock_};
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Governance> governance_;
  Principal owner_;
};

TEST_F(SignInTest, AnUnknownPersonIsRefused) {
  EXPECT_EQ(ask(claims("ada@example.com")).status().code(), kDenied);
  EXPECT_EQ(ask(fake_.claims("api://plinth")).status().code(), kDenied);
  EXPECT_TRUE(absl::IsNotFound(
      governance_->people().users().find_by_identity(FakeProvider::kIssuer, "user-1").status()));
}

TEST_F(SignInTest, AnInviteLetsInWhoseAddressTheProviderVerified) {
  InviteSpec spec;
  spec.email = "ada@example.com";
  spec.projects = {{"default", "member"}};
  ASSERT_TRUE(governance_->invites().create(owner_, spec).ok());
  EXPECT_EQ(ask(claims("ada@example.com", false)).status().code(), kDenied);
  auto silent = claims("ada@example.com");
  silent.erase("email_verified");
  EXPECT_EQ(ask(silent).status().code(), kDenied) << "nobody said that it was verified";
  const auto who = ask(claims("ADA@example.com"));
  ASSERT_TRUE(who.ok()) << who.status();
  EXPECT_TRUE(who->may(Permission::infer, "default"));
  EXPECT_FALSE(who->may(Permission::infer, ""));
  EXPECT_EQ(person(who->user).subject, "user-1");
  EXPECT_EQ(records("invite.accepted").size(), 1u);
  // Whoever has the address later is somebody else.
  auto other = claims("ada@example.com");
  other["sub"] = "user-2";
  EXPECT_EQ(ask(other).status().code(), kDenied);
  // And who was let in stays who they are under another address.
  EXPECT_EQ(ask(claims("new@example.com"))->user, who->user);
}

TEST_F(SignInTest, AUserWithoutAnIdentityIsLinkedOnlyWhereThatIsAskedFor) {
  const auto id = add("ada@example.com");
  EXPECT_EQ(ask(claims("ada@example.com")).status().code(), kDenied);
  open({.link_people = true});
  EXPECT_EQ(ask(claims("ada@example.com", false)).status().code(), kDenied);
  EXPECT_EQ(ask(claims("ada@example.com"))->user, id);
  auto other = claims("ada@example.com");
  other["sub"] = "user-2";
  EXPECT_EQ(ask(other).status().code(), kDenied) << "an identity was replaced";
}

TEST_F(SignInTest, PeopleAreMadeWhereThatIsAskedFor) {
  open({.create_people = true});
  const auto who = ask(claims("ada@example.com"));
  ASSERT_TRUE(who.ok()) << who.status();
  EXPECT_TRUE(who->grants.anywhere().empty());
  EXPECT_EQ(person(who->user).email, "ada@example.com");
  EXPECT_EQ(records("user.added").size(), 1u);
  EXPECT_EQ(ask(claims("ada@example.com"))->user, who->user);
  EXPECT_EQ(records("user.added").size(), 1u);
}

TEST_F(SignInTest, RolesOfTheProviderGiveWhatTheyMeanHere) {
  open({.create_people = true});
  auto of = claims("ada@example.com");
  of["roles"] = base::json::array{"Plinth.Infer", "Plinth.Gone", "Plinth.Typo", "owner"};
  const auto who = ask(of);
  ASSERT_TRUE(who.ok()) << who.status();
  EXPECT_TRUE(who->may(Permission::infer, "default"));
  EXPECT_TRUE(who->grants.organization.empty());
  EXPECT_FALSE(who->grants.projects.contains("gone"));
  of["roles"] = base::json::array{"Plinth.Owner"};
  EXPECT_TRUE(ask(of)->may(Permission::manage_people, ""));
}

TEST_F(SignInTest, AProgramHasItsRolesAlone) {
  auto of = fake_.claims("api://plinth");
  of["sub"] = of["client_id"] = "robot";
  EXPECT_EQ(ask(of).status().code(), kDenied);
  of["roles"] = base::json::array{"Plinth.Infer"};
  const auto who = ask(of);
  ASSERT_TRUE(who.ok()) << who.status();
  EXPECT_EQ(who->service_account, "oidc:robot");
  EXPECT_EQ(who->user, "");
  EXPECT_TRUE(who->may(Permission::infer, "default"));
}

TEST_F(SignInTest, ADisabledPersonIsRefusedAtOnce) {
  open({.create_people = true});
  const auto token = fake_.token(claims("ada@example.com"));
  const auto who = sign_in().by_token(token);
  EXPECT_TRUE(sign_in().known_token(token).has_value());
  ASSERT_TRUE(governance_->people().disable(owner_, who->user).ok());
  EXPECT_FALSE(sign_in().known_token(token).has_value());
  EXPECT_EQ(sign_in().by_token(token).status().code(), kDenied);
}

TEST_F(SignInTest, WhatIsKnownOfATokenEndsWithIt) {
  open({.create_people = true});
  auto of = claims("ada@example.com");
  // Clocks may differ by a minute, of which five seconds are left.
  of["exp"] = clock_.unix_seconds() - kJwtLeeway.count() + 5;
  const auto token = fake_.token(of);
  ASSERT_TRUE(sign_in().by_token(token).ok());
  EXPECT_TRUE(sign_in().known_token(token).has_value());
  EXPECT_FALSE(sign_in().known_session(token).has_value()) << "a token is no session";
  clock_.advance(std::chrono::seconds(6));
  EXPECT_FALSE(sign_in().known_token(token).has_value());
  EXPECT_FALSE(sign_in().by_token(token).ok());
}

TEST_F(SignInTest, WhatIsKnownIsReadAgainAfterAWhile) {
  open({.create_people = true});
  const auto token = fake_.token(claims("ada@example.com"));
  ASSERT_TRUE(sign_in().by_token(token).ok());
  clock_.advance(kPrincipalCacheMax);
  EXPECT_FALSE(sign_in().known_token(token).has_value());
}

TEST_F(SignInTest, AProviderThatIsDownIsNoRefusal) {
  fake_.out = true;
  EXPECT_TRUE(absl::IsUnavailable(ask(claims("ada@example.com")).status()));
}

TEST_F(SignInTest, ALocalUserSignsInAndOut) {
  const auto id = add_local("Lou@example.com");
  EXPECT_EQ(sign_in().by_password("lou@example.com", "wrong", kSource).status().code(), kRefused);
  const auto session = sign_in().by_password("LOU@example.com", kPassword, kSource);
  ASSERT_TRUE(session.ok()) << session.status();
  const auto who = sign_in().by_session(session->id);
  ASSERT_TRUE(who.ok()) << who.status();
  EXPECT_EQ(who->user, id);
  EXPECT_TRUE(who->may(Permission::infer, "default"));
  EXPECT_TRUE(sign_in().known_session(session->id).has_value());
  ASSERT_TRUE(sign_in().sign_out(session->id, kSource).ok());
  EXPECT_FALSE(sign_in().known_session(session->id).has_value());
  EXPECT_EQ(sign_in().by_session(session->id).status().code(), kRefused);
  EXPECT_EQ(sign_in().sign_out(session->id, kSource).code(), kRefused);
  const auto in = records("login.succeeded");
  ASSERT_EQ(in.size(), 1u);
  EXPECT_EQ(in[0].event.actor.id, id);
  EXPECT_EQ(in[0].event.actor.ip, kSource);
  EXPECT_EQ(records("logout.succeeded").size(), 1u);
  clock_.advance(std::chrono::minutes(2));
  governance_->audit().tick();
  EXPECT_EQ(records("login.failed").size(), 1u);
  EXPECT_EQ(records("logout.failed").size(), 1u);
}

TEST_F(SignInTest, ManyFailedSignInsAreFewRecords) {
  add_local("lou@example.com");
  for (int i = 0; i < 40; ++i)
    EXPECT_FALSE(sign_in().by_password("lou@example.com", "wrong", kSource).ok());
  clock_.advance(std::chrono::minutes(2));
  governance_->audit().tick();
  EXPECT_EQ(records("login.failed").size(), 1u);
}

TEST_F(SignInTest, AUserWithoutAPasswordHasNoneToGuess) {
  add("ada@example.com");
  EXPECT_EQ(sign_in().by_password("ada@example.com", "", kSource).status().code(), kRefused);
  EXPECT_EQ(sign_in().by_password("ada@example.com", kPassword, kSource).status().code(), kRefused);
}

TEST_F(SignInTest, SessionsEndWithTheirPersonAndDoNotComeBack) {
  const auto id = add_local("lou@example.com");
  const auto session = sign_in().by_password("lou@example.com", kPassword, kSource);
  ASSERT_TRUE(sign_in().by_session(session->id).ok());
  ASSERT_TRUE(governance_->people().disable(owner_, id).ok());
  EXPECT_FALSE(sign_in().known_session(session->id).has_value());
  EXPECT_EQ(sign_in().by_session(session->id).status().code(), kRefused);
  EXPECT_EQ(sign_in().by_password("lou@example.com", kPassword, kSource).status().code(), kRefused);
  ASSERT_TRUE(governance_->people().enable(owner_, id).ok());
  EXPECT_EQ(sign_in().by_session(session->id).status().code(), kRefused);
}

TEST_F(SignInTest, RightsThatAreTakenAreGoneFromSessions) {
  const auto id = add_local("lou@example.com");
  const auto session = sign_in().by_password("lou@example.com", kPassword, kSource);
  ASSERT_TRUE(sign_in().by_session(session->id)->may(Permission::infer, "default"));
  ASSERT_TRUE(governance_->people().take(owner_, store::user_subject(id), "default", "user").ok());
  EXPECT_FALSE(sign_in().known_session(session->id).has_value());
  EXPECT_FALSE(sign_in().by_session(session->id)->may(Permission::infer, "default"));
}

TEST_F(SignInTest, AnArchivedProjectGivesNothing) {
  ASSERT_TRUE(governance_->tenants().insert_project({"p", "default", "p", 1, {}}).ok());
  const auto id = add_local("lou@example.com");
  give(id, "p");
  const auto session = sign_in().by_password("lou@example.com", kPassword, kSource);
  EXPECT_TRUE(sign_in().by_session(session->id)->grants.projects.contains("p"));
  ASSERT_TRUE(governance_->tenants().archive_project("p", 2).ok());
  EXPECT_FALSE(sign_in().by_session(session->id)->grants.projects.contains("p"));
}

TEST_F(SignInTest, AChangedPasswordEndsAllOtherSessions) {
  add_local("lou@example.com");
  const auto first = sign_in().by_password("lou@example.com", kPassword, kSource);
  const auto second = sign_in().by_password("lou@example.com", kPassword, kSource);
  const std::string fresh = "another phrase of enough length";
  EXPECT_EQ(sign_in().change_password(first->id, "wrong", fresh, kSource).status().code(),
            kRefused);
  EXPECT_TRUE(absl::IsInvalidArgument(
      sign_in().change_password(first->id, kPassword, "short", kSource).status()));
  EXPECT_TRUE(sign_in().by_session(second->id).ok());
  const auto now = sign_in().change_password(first->id, kPassword, fresh, kSource);
  ASSERT_TRUE(now.ok()) << now.status();
  EXPECT_TRUE(sign_in().by_session(now->id).ok());
  EXPECT_EQ(sign_in().by_session(first->id).status().code(), kRefused);
  EXPECT_EQ(sign_in().by_session(second->id).status().code(), kRefused);
  EXPECT_FALSE(sign_in().by_password("lou@example.com", kPassword, kSource).ok());
  EXPECT_TRUE(sign_in().by_password("lou@example.com", fresh, kSource).ok());
}

TEST_F(SignInTest, ASessionOfTheProviderKeepsWhatItsRolesGive) {
  open({.create_people = true});
  const auto start = sign_in().begin_at_provider(kBack);
  ASSERT_TRUE(start.ok()) << start.status();
  const auto back = fake_.browse(*start);
  fake_.id_claims["roles"] = base::json::array{"Plinth.Infer"};
  const auto session = sign_in().finish_at_provider(back, kSource);
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_TRUE(sign_in().by_session(session->id)->may(Permission::infer, "default"));
  EXPECT_EQ(sign_in().finish_at_provider(back, kSource).status().code(), kRefused);
  // They are the session's, not the user's.
  EXPECT_TRUE(
      governance_->people().permissions_of("default", session->person.id)->anywhere().empty());
}

TEST_F(SignInTest, ReadsWhatARoleOfTheSettingsMeans) {
  EXPECT_EQ(parse_mapped_role("owner")->role, "owner");
  EXPECT_EQ(parse_mapped_role("owner")->project, "");
  EXPECT_EQ(parse_mapped_role("proj_1:user")->project, "proj_1");
  for (const char* text : {"", ":", ":user", "proj_1:", "a:b:c"})
    EXPECT_TRUE(absl::IsInvalidArgument(parse_mapped_role(text).status())) << text;
}

// What a glance says costs nobody else anything: it asks neither provider nor database.
TEST_F(SignInTest, AGlanceTellsWhatIsMadeUp) {
  const auto good = fake_.token(claims("ada@example.com"));
  EXPECT_FALSE(*sign_in().glance(good)) << "no key is here yet";
  ASSERT_EQ(fake_.fetches, 0);
  ASSERT_FALSE(sign_in().by_token(good).ok()) << "nobody knows them; the keys are here now";
  const int fetches = fake_.fetches;
  EXPECT_TRUE(*sign_in().glance(good));
  auto cut = good;
  cut[cut.rfind('.') + 5] ^= 1;
  EXPECT_EQ(sign_in().glance(cut).status().code(), kRefused) << "its signature";
  auto old = claims("ada@example.com");
  old["exp"] = clock_.unix_seconds() - 3'600;
  EXPECT_EQ(sign_in().glance(fake_.token(old)).status().code(), kRefused);
  const auto under = [&](const base::json::object& of) {
    auto header = ec_key().header("another");
    return ec_key().token(header, of);
  };
  EXPECT_FALSE(*sign_in().glance(under(claims("ada@example.com")))) << "perhaps a new key";
  EXPECT_EQ(sign_in().glance(under(old)).status().code(), kRefused) << "no key makes it good";
  auto foreign = claims("ada@example.com");
  foreign["aud"] = "somebody else";
  EXPECT_EQ(sign_in().glance(under(foreign)).status().code(), kRefused);
  EXPECT_EQ(sign_in().glance("a.b.c").status().code(), kRefused);
  EXPECT_EQ(fake_.fetches, fetches);
}

}  // namespace
}  // namespace plinth::governance
