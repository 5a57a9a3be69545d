#include "governance/local_users.h"

#include <gtest/gtest.h>

#include <latch>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "governance/sign_in_limits.h"

namespace plinth::governance {
namespace {

constexpr PasswordCost kCheap{.memory_kib = 64, .passes = 1, .lanes = 1};
constexpr const char* kPhrase = "correct horse battery staple";
constexpr const char* kHere = "192.0.2.7";

class MemoryRows final : public LocalUserRows {
 public:
  absl::StatusOr<LocalUserRow> find(const std::string& name) override {
    std::lock_guard lock(mutex);
    if (out) return base::unavailable("database");
    const auto found = rows.find(name);
    if (found == rows.end()) return base::not_found("no such user");
    return found->second;
  }
  absl::Status insert(const LocalUserRow& row) override {
    std::lock_guard lock(mutex);
    if (!rows.emplace(row.name, row).second) return absl::AlreadyExistsError("taken");
    return absl::OkStatus();
  }
  absl::Status replace_password(const std::string& name, const std::string& expected_phc,
                                const std::string& phc) override {
    std::lock_guard lock(mutex);
    auto& kept = rows.at(name).password_phc;
    if (aborts > 0 || kept != expected_phc) {
      --aborts;
      return absl::AbortedError("changed meanwhile");
    }
    kept = phc;
    return absl::OkStatus();
  }

  std::mutex mutex;
  std::map<std::string, LocalUserRow> rows;
  bool out = false;
  int aborts = 0;
};

class LocalUsersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    open(kCheap);
    ASSERT_TRUE(users_->create("Ada", kPhrase, {"user", "owner"}).ok());
  }
  void open(const PasswordCost& cost) {
    LocalUsersOptions options;
    options.cost = cost;
    options.fits = [this](std::string_view password, std::string_view phc) {
      checked_.emplace_back(phc);
      return password_fits(password, phc);
    };
    users_ = *LocalUsers::open(rows_, throttle_, system_random_bytes, options);
  }
  absl::Status sign_in(std::string_view name, std::string_view password) {
    return users_->sign_in(name, password, kHere).status();
  }

  base::FakeClock clock_;
  SignInThrottle throttle_{clock_};
  MemoryRows rows_;
  std::vector<std::string> checked_;  // the hashes that were computed
  std::unique_ptr<LocalUsers> users_;
};

TEST_F(LocalUsersTest, SignsIn) {
  const auto who = users_->sign_in("ADA", kPhrase, kHere);
  ASSERT_TRUE(who.ok()) << who.status();
  EXPECT_EQ(who->issuer, "local");
  EXPECT_EQ(who->subject, "ada");
  EXPECT_EQ(who->roles, (std::vector<std::string>{"owner", "user"}));
}

TEST_F(LocalUsersTest, AnUnknownNameIsLikeAWrongPassword) {
  const auto wrong = sign_in("ada", "incorrect horse");
  const auto unknown = sign_in("eve", kPhrase);
  rows_.rows.at("ada").disabled = true;
  const auto disabled = sign_in("ada", kPhrase);
  EXPECT_TRUE(absl::IsUnauthenticated(wrong));
  EXPECT_EQ(wrong, unknown);
  EXPECT_EQ(wrong, disabled);
  EXPECT_EQ(sign_in("no such name!", kPhrase), wrong);
  // One hash each, of one cost.
  ASSERT_EQ(checked_.size(), 3u);
  for (const auto& phc : checked_) EXPECT_FALSE(needs_rehash(phc, kCheap));
  // None of them opens the decoy.
  EXPECT_NE(checked_[1], checked_[0]);
}

TEST_F(LocalUsersTest, GuessingIsSlowedWhetherOrNotTheAccountExists) {
  for (const char* name : {"ada", "eve"}) {
    for (int i = 0; i < kAccountFailuresFree; ++i) {
      EXPECT_TRUE(absl::IsUnauthenticated(sign_in(name, "guess"))) << name;
    }
    const auto hashes = checked_.size();
    EXPECT_TRUE(absl::IsResourceExhausted(sign_in(name, kPhrase))) << name;
    EXPECT_EQ(checked_.size(), hashes);
  }
  clock_.advance(std::chrono::seconds(1));
  EXPECT_TRUE(sign_in("ada", kPhrase).ok());
}

TEST_F(LocalUsersTest, ADatabaseOutageIsNobodysFailure) {
  rows_.out = true;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(absl::IsUnavailable(sign_in("ada", kPhrase)));
  rows_.out = false;
  EXPECT_TRUE(sign_in("ada", kPhrase).ok());
}

TEST_F(LocalUsersTest, ADearerCostIsTakenUpAtTheNextSignIn) {
  open({.memory_kib = 128, .passes = 2, .lanes = 1});
  const std::string before = rows_.rows.at("ada").password_phc;
  EXPECT_FALSE(sign_in("ada", "wrong").ok());
  EXPECT_EQ(rows_.rows.at("ada").password_phc, before);
  EXPECT_TRUE(sign_in("ada", kPhrase).ok());
  const std::string after = rows_.rows.at("ada").password_phc;
  EXPECT_TRUE(after.starts_with("$argon2id$v=19$m=128,t=2,p=1$")) << after;
  EXPECT_TRUE(sign_in("ada", kPhrase).ok());
  EXPECT_EQ(rows_.rows.at("ada").password_phc, after);
}

// A sign-in with the old password that ends after the new one was set must not bring it back.
TEST_F(LocalUsersTest, ARehashDoesNotUndoANewPassword) {
  LocalUsersOptions options;
  options.cost = {.memory_kib = 128, .passes = 1, .lanes = 1};
  const std::string other = *hash_password("another phrase", system_random_bytes, kCheap);
  options.fits = [&](std::string_view password, std::string_view phc) {
    rows_.rows.at("ada").password_phc = other;
    return password_fits(password, phc);
  };
  const auto users = *LocalUsers::open(rows_, throttle_, system_random_bytes, options);
  EXPECT_TRUE(users->sign_in("ada", kPhrase, kHere).ok());
  EXPECT_EQ(rows_.rows.at("ada").password_phc, other);
}

TEST_F(LocalUsersTest, SetsAPassword) {
  EXPECT_FALSE(users_->set_password("ada", "short").ok());
  EXPECT_TRUE(absl::IsNotFound(users_->set_password("eve", "a whole new phrase")));
  rows_.aborts = 1;
  ASSERT_TRUE(users_->set_password("Ada", "a whole new phrase").ok());
  EXPECT_FALSE(sign_in("ada", kPhrase).ok());
  EXPECT_TRUE(sign_in("ada", "a whole new phrase").ok());
}

TEST_F(LocalUsersTest, ChecksNamesAndNewPasswords) {
  EXPECT_TRUE(absl::IsAlreadyExists(users_->create("ADA", kPhrase, {})));
  EXPECT_TRUE(absl::IsInvalidArgument(users_->create("bob", "too short", {})));
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("a/b"), std::string("\u00e4da"),
        std::string("ada\0", 4), std::string(129, 'a'), std::string("a\nb")}) {
    EXPECT_TRUE(absl::IsInvalidArgument(users_->create(name, kPhrase, {}))) << name;
  }
  EXPECT_EQ(*account_name("Ada.Lovelace+x@Example.com"), "ada.lovelace+x@example.com");
}

TEST_F(LocalUsersTest, SoManyPasswordsAreHashedAtOnceAndNoMore) {
  std::latch all_hashing(kPasswordChecksAtOnce);
  std::latch go_on(1);
  LocalUsersOptions options;
  options.cost = kCheap;
  options.fits = [&](std::string_view, std::string_view) {
    all_hashing.count_down();
    go_on.wait();
    return absl::StatusOr<bool>(true);
  };
  const auto users = *LocalUsers::open(rows_, throttle_, system_random_bytes, options);
  std::vector<std::jthread> threads;
  for (int i = 0; i < kPasswordChecksAtOnce; ++i) {
    threads.emplace_back([&, i] {
      const auto who = users->sign_in("eve" + std::to_string(i), kPhrase, kHere);
      EXPECT_TRUE(absl::IsUnauthenticated(who.status()));
    });
  }
  all_hashing.wait();
  EXPECT_TRUE(absl::IsUnavailable(users->sign_in("ada", kPhrase, kHere).status()));
  EXPECT_TRUE(absl::IsUnavailable(users->create("bob", kPhrase, {})));
  go_on.count_down();
  threads.clear();
  EXPECT_TRUE(users->create("bob", kPhrase, {}).ok());
}

}  // namespace
}  // namespace plinth::governance
