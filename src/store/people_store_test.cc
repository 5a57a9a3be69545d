// People, groups, roles, invites and sessions, on both databases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "store/group_store.h"
#include "store/invite_store.h"
#include "store/key_store.h"
#include "store/person_store.h"
#include "store/role_store.h"
#include "store/scratch_database.h"
#include "store/session_store.h"

namespace plinth::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class PeopleStoreTest : public testing::TestWithParam<Dialect> {
 protected:
  void SetUp() override {
    auto scratch = ScratchDatabase::make(GetParam());
    ASSERT_TRUE(scratch.ok()) << scratch.status();
    scratch_ = *std::move(scratch);
    auto database = Database::open(scratch_->where());
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
    people_ = std::make_unique<PersonStore>(*database_);
    groups_ = std::make_unique<GroupStore>(*database_);
    roles_ = std::make_unique<RoleStore>(*database_);
  }

  PersonRow person(const std::string& id) {
    PersonRow row;
    row.id = id;
    row.email = id + "@example.com";
    row.name = id;
    row.added_s = 5;
    return row;
  }
  void add(const std::string& id) { ASSERT_TRUE(people_->insert(person(id)).ok()); }
  absl::Status give(const Subject& subject, const std::string& role,
                    const std::string& project = "") {
    return roles_->change("default", subject, project, {}, role, 7);
  }
  absl::Status take(const Subject& subject, const std::string& role,
                    const std::string& project = "") {
    return roles_->change("default", subject, project, {role}, "", 7);
  }
  void add_group(const std::string& id) {
    ASSERT_TRUE(groups_->insert({id, "default", id, 5}).ok());
  }

  std::unique_ptr<ScratchDatabase> scratch_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<PersonStore> people_;
  std::unique_ptr<GroupStore> groups_;
  std::unique_ptr<RoleStore> roles_;
};

INSTANTIATE_TEST_SUITE_P(Store, PeopleStoreTest, testing::ValuesIn(scratch_dialects()),
                         [](const auto& backend) { return dialect_name(backend.param); });

std::vector<std::string> ids(const std::vector<PersonRow>& rows) {
  std::vector<std::string> out;
  for (const auto& row : rows) out.push_back(row.id);
  return out;
}

TEST_P(PeopleStoreTest, AnAddressIsOnePersonsWhateverItsCase) {
  auto ada = person("ada");
  ada.email = "Ada@Example.com";
  ASSERT_TRUE(people_->insert(ada).ok());
  auto other = person("other");
  other.email = "aDA@exAMPLE.com";
  EXPECT_EQ(people_->insert(other).code(), absl::StatusCode::kAlreadyExists);
  other.organization = "another";
  EXPECT_TRUE(people_->insert(other).ok());
  const auto found = people_->find_by_email("default", "ada@example.COM");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->id, "ada");
  EXPECT_EQ(found->email, "Ada@Example.com") << "as it was given";
  EXPECT_EQ(people_->find("another", "ada").status().code(), absl::StatusCode::kNotFound);
}

TEST_P(PeopleStoreTest, PeopleWithoutAnAddressOrIdentity) {
  for (const char* id : {"a", "b"}) {
    auto row = person(id);
    row.email.reset();
    ASSERT_TRUE(people_->insert(row).ok()) << "none is no address that could be taken";
  }
  ASSERT_TRUE(people_->set_identity("a", "https://id.example", "7").ok());
  EXPECT_EQ(people_->set_identity("b", "https://id.example", "7").code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(people_->find_by_identity("https://id.example", "7")->id, "a");
  EXPECT_FALSE(people_->find_by_identity("https://id.example", "8").ok());
}

TEST_P(PeopleStoreTest, APasswordIsReplacedOnlyWhereItIsWhatOneThinks) {
  add("ada");
  ASSERT_TRUE(people_->set_password("ada", std::nullopt, "one").ok());
  EXPECT_EQ(people_->set_password("ada", std::nullopt, "two").code(), absl::StatusCode::kAborted);
  EXPECT_EQ(people_->set_password("ada", "other", "two").code(), absl::StatusCode::kAborted);
  ASSERT_TRUE(people_->set_password("ada", "one", "two").ok());
  EXPECT_EQ(people_->find("default", "ada")->password_phc, "two");
}

TEST_P(PeopleStoreTest, PagesAndFilters) {
  for (const char* id : {"m", "a", "z"}) add(id);
  const auto first = people_->list("default", {}, {"", 2});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(ids(first->rows), ElementsAre("m", "a"));
  EXPECT_TRUE(first->has_more);
  ASSERT_TRUE(people_->remove("default", "m", 9).ok());
  const auto second = people_->list("default", {}, {"a", 2});
  EXPECT_THAT(ids(second->rows), ElementsAre("z"));
  EXPECT_FALSE(second->has_more);
  EXPECT_THAT(ids(people_->list("default", {"A@example.com", "x@y"}, {"", 9})->rows),
              ElementsAre("a"));
  EXPECT_EQ(people_->list("default", {}, {"m' or '1'='1", 2}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_P(PeopleStoreTest, KeysAndSessionsEndWithTheirPerson) {
  KeyStore keys(*database_);
  SessionStore sessions(*database_);
  for (const char* id : {"ada", "bob"}) {
    add(id);
    KeyRow key;
    key.id = std::string("key-") + id;
    key.role = "project";
    key.person = id;
    ASSERT_TRUE(keys.insert(key).ok());
    ASSERT_TRUE(sessions.insert({std::string("session-") + id, id, 5, 5, 99}).ok());
  }
  ASSERT_TRUE(people_->disable("default", "ada", 8).ok());
  EXPECT_EQ(people_->find("default", "ada")->disabled_s, 8);
  EXPECT_EQ(keys.find("key-ada")->revoked_unix_s, 8);
  EXPECT_FALSE(sessions.find("session-ada").ok());
  EXPECT_FALSE(sessions.insert({"again", "ada", 9, 9, 99}).ok()) << "who is disabled stays out";
  ASSERT_TRUE(people_->enable("default", "ada").ok());
  EXPECT_EQ(keys.find("key-ada")->revoked_unix_s, 8) << "enabling brings none back";
  EXPECT_FALSE(keys.find("key-bob")->revoked_unix_s.has_value());
  ASSERT_TRUE(people_->remove("default", "bob", 9).ok());
  EXPECT_EQ(keys.find("key-bob")->revoked_unix_s, 9);
  EXPECT_FALSE(sessions.find("session-bob").ok());
  EXPECT_EQ(*sessions.count(), 0);
}

TEST_P(PeopleStoreTest, ASessionKeepsWhatWasSaidOfItsPerson) {
  SessionStore sessions(*database_);
  add("ada");
  ASSERT_TRUE(sessions.insert({"plain", "ada", 5, 50, 99}).ok());
  ASSERT_TRUE(sessions.insert({"said", "ada", 5, 60, 99, R"({"roles":["owner"]})"}).ok());
  EXPECT_EQ(sessions.find("plain")->claims, std::nullopt);
  EXPECT_EQ(sessions.find("said")->claims, R"({"roles":["owner"]})");
  EXPECT_EQ(sessions.of("ada")->back().claims, R"({"roles":["owner"]})");
}

TEST_P(PeopleStoreTest, SessionsAreCountedTouchedAndDropped) {
  SessionStore sessions(*database_);
  add("ada");
  ASSERT_TRUE(sessions.insert({"one", "ada", 5, 50, 99}).ok());
  ASSERT_TRUE(sessions.insert({"two", "ada", 5, 40, 99}).ok());
  ASSERT_TRUE(sessions.insert({"old", "ada", 5, 60, 10}).ok());
  EXPECT_EQ(sessions.insert({"one", "ada", 5, 5, 99}).code(), absl::StatusCode::kAlreadyExists);
  ASSERT_TRUE(sessions.touch("two", 55).ok());
  ASSERT_TRUE(sessions.touch("gone", 55).ok());
  EXPECT_FALSE(sessions.find("gone").ok()) << "touching brings none back";
  ASSERT_TRUE(sessions.erase_ended(10, 50).ok());
  const auto left = sessions.of("ada");
  ASSERT_EQ(left->size(), 1u);
  EXPECT_EQ(left->front().id_hash, "two");
  ASSERT_TRUE(sessions.erase_of("ada").ok());
  EXPECT_THAT(*sessions.of("ada"), IsEmpty());
}

TEST_P(PeopleStoreTest, GroupsAndTheirMembers) {
  for (const char* id : {"m", "a", "z"}) add(id);
  add_group("g");
  add_group("h");
  for (const char* id : {"z", "m", "a"}) ASSERT_TRUE(groups_->add_member("g", id, 6).ok());
  ASSERT_TRUE(groups_->add_member("g", "z", 9).ok()) << "twice";
  EXPECT_THAT(ids(groups_->members("g", {"", 2})->rows), ElementsAre("z", "m"));
  EXPECT_THAT(ids(groups_->members("g", {"m", 2})->rows), ElementsAre("a"));
  EXPECT_THAT(ids(groups_->members("g", {"", 2, true})->rows), ElementsAre("a", "m"));
  EXPECT_THAT(ids(groups_->members("g", {"m", 2, true})->rows), ElementsAre("z"));
  EXPECT_FALSE(groups_->members("h", {"m", 2}).ok()) << "a cursor of another group";
  ASSERT_TRUE(groups_->remove_member("default", "g", "m").ok());
  EXPECT_FALSE(groups_->member("g", "m").ok());
  EXPECT_FALSE(groups_->remove_member("default", "g", "m").ok());
  ASSERT_TRUE(people_->remove("default", "a", 9).ok());
  EXPECT_THAT(ids(groups_->members("g", {"", 9})->rows), ElementsAre("z"));
  const auto newest = groups_->list("default", {"", 1, true});
  EXPECT_EQ(newest->rows.at(0).id, "h");
  EXPECT_TRUE(newest->has_more);
}

TEST_P(PeopleStoreTest, RolesOfAUserAndOfTheirGroups) {
  add("ada");
  add_group("g");
  ASSERT_TRUE(groups_->add_member("g", "ada", 6).ok());
  ASSERT_TRUE(give(user_subject("ada"), "user", "p").ok());
  ASSERT_TRUE(give(group_subject("g"), "auditor").ok());
  ASSERT_TRUE(give(group_subject("g"), "auditor").ok()) << "twice";
  const auto all = roles_->all_roles_of_user("ada");
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ(all->at(0).role, "user");
  EXPECT_EQ(all->at(0).project, "p");
  EXPECT_EQ(all->at(1).subject, group_subject("g"));
  EXPECT_EQ(roles_->roles_of(user_subject("ada"))->size(), 1u);
  EXPECT_TRUE(roles_->member("p", user_subject("ada")).ok()) << "a role there makes a member";
  ASSERT_TRUE(roles_->remove_member("p", user_subject("ada")).ok());
  EXPECT_THAT(*roles_->roles_of(user_subject("ada")), IsEmpty());
  ASSERT_TRUE(groups_->remove("default", "g").ok());
  EXPECT_THAT(*roles_->all_roles_of_user("ada"), IsEmpty());
}

TEST_P(PeopleStoreTest, CustomRolesAreNamedOnceAndLeaveNothing) {
  add("ada");
  RoleRow row{"role_1", "default", "", "Scribe", "writes", R"(["audit.read"])", 5, 5};
  ASSERT_TRUE(roles_->insert(row).ok());
  row.id = "role_2";
  EXPECT_EQ(roles_->insert(row).code(), absl::StatusCode::kAlreadyExists);
  row.project = "p";
  ASSERT_TRUE(roles_->insert(row).ok()) << "a project's own";
  EXPECT_FALSE(roles_->find("default", "", "role_2").ok()) << "not the organization's";
  ASSERT_TRUE(give(user_subject("ada"), "role_1").ok());
  ASSERT_TRUE(roles_->remove("default", "role_1").ok());
  EXPECT_THAT(*roles_->roles_of(user_subject("ada")), IsEmpty());
}

TEST_P(PeopleStoreTest, TheLastOwnerStays) {
  for (const char* id : {"ada", "bob"}) add(id);
  const auto refused = absl::StatusCode::kInvalidArgument;
  ASSERT_TRUE(give(user_subject("ada"), "owner").ok());
  EXPECT_EQ(take(user_subject("ada"), "owner").code(), refused);
  EXPECT_EQ(people_->remove("default", "ada", 9).code(), refused);
  EXPECT_EQ(people_->disable("default", "ada", 9).code(), refused);
  EXPECT_EQ(roles_->roles_of(user_subject("ada"))->size(), 1u) << "nothing of it was done";
  ASSERT_TRUE(give(user_subject("bob"), "owner", "p").ok());
  EXPECT_EQ(take(user_subject("ada"), "owner").code(), refused) << "a project's owner is none";

  // Through a group.
  add_group("g");
  ASSERT_TRUE(groups_->add_member("g", "bob", 6).ok());
  ASSERT_TRUE(give(group_subject("g"), "owner").ok());
  ASSERT_TRUE(take(user_subject("ada"), "owner").ok());
  EXPECT_EQ(take(group_subject("g"), "owner").code(), refused);
  EXPECT_EQ(groups_->remove("default", "g").code(), refused);
  EXPECT_EQ(groups_->remove_member("default", "g", "bob").code(), refused);
  EXPECT_EQ(people_->disable("default", "bob", 9).code(), refused);
  ASSERT_TRUE(give(user_subject("ada"), "owner").ok());
  EXPECT_TRUE(groups_->remove("default", "g").ok());
}

TEST_P(PeopleStoreTest, ADisabledOwnerIsNone) {
  for (const char* id : {"ada", "bob"}) {
    add(id);
    ASSERT_TRUE(give(user_subject(id), "owner").ok());
  }
  ASSERT_TRUE(people_->disable("default", "ada", 9).ok());
  EXPECT_FALSE(people_->remove("default", "bob", 9).ok());
}

// Two owners who dismiss each other at once: one of them stays.
TEST_P(PeopleStoreTest, TwoOwnersCannotDismissEachOther) {
  for (int round = 0; round < 10; ++round) {
    const std::vector<std::string> names{"a" + std::to_string(round), "b" + std::to_string(round)};
    for (const auto& name : names) {
      add(name);
      ASSERT_TRUE(give(user_subject(name), "owner").ok());
    }
    // Who was left by the round before.
    const auto present = people_->list("default", {}, {"", 99});
    for (const auto& row : present->rows) {
      if (row.id != names[0] && row.id != names[1]) {
        ASSERT_TRUE(people_->remove("default", row.id, 9).ok());
      }
    }
    std::vector<absl::Status> results(2);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 2; ++i)
      threads.emplace_back([&, i] { results[i] = people_->remove("default", names[i], 9); });
    for (auto& thread : threads) thread.join();
    EXPECT_NE(results[0].ok(), results[1].ok()) << results[0] << "\n" << results[1];
  }
}

TEST_P(PeopleStoreTest, InvitesAreGoodOnceAndForAWhile) {
  InviteStore invites(*database_);
  InviteRow row;
  row.id = "invite-1";
  row.email = "Ada@example.com";
  row.role = "reader";
  row.projects = "[]";
  row.token_hash = "hash";
  row.created_s = 100;
  row.expires_s = 200;
  ASSERT_TRUE(invites.insert(row).ok());
  auto again = row;
  again.id = "invite-2";
  again.token_hash = "other";
  again.email = "ADA@example.com";
  EXPECT_EQ(invites.insert(again).code(), absl::StatusCode::kAlreadyExists) << "one waits already";
  EXPECT_EQ(invites.find_open("default", "ada@EXAMPLE.com", 150)->id, "invite-1");
  EXPECT_FALSE(invites.find_open("default", "ada@example.com", 200).ok());
  EXPECT_EQ(invites.accept("invite-1", person("late"), {}, 200).code(),
            absl::StatusCode::kNotFound);
  EXPECT_FALSE(people_->find("default", "late").ok());
  ASSERT_TRUE(invites.accept("invite-1", person("ada"), {{"", "owner"}, {"p", "user"}}, 199).ok());
  EXPECT_EQ(roles_->roles_of(user_subject("ada"))->size(), 2u);
  EXPECT_TRUE(roles_->member("p", user_subject("ada")).ok());
  EXPECT_EQ(invites.accept("invite-1", person("twice"), {}, 199).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(invites.insert(again).code(), absl::StatusCode::kAlreadyExists) << "a user already";
  EXPECT_EQ(invites.find("default", "invite-1")->accepted_s, 199);
}

}  // namespace
}  // namespace plinth::store
