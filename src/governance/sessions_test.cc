#include "governance/sessions.h"

#include <gtest/gtest.h>

#include <set>

#include "governance/sign_in_limits.h"

namespace plinth::governance {
namespace {

using std::chrono::seconds;

Identity person(const std::string& subject) {
  Identity who;
  who.issuer = "https://login.example";
  who.subject = subject;
  who.roles = {"user"};
  return who;
}

class SessionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto rows = memory_session_rows();
    rows_ = rows.get();
    sessions_ = *Sessions::open(std::move(rows), std::string(32, 'k'), system_random_bytes, clock_);
  }
  bool holds(const std::string& id) {
    const auto who = sessions_->find(id);
    EXPECT_TRUE(who.ok() || absl::IsUnauthenticated(who.status())) << who.status();
    return who.ok();
  }
  base::FakeClock clock_;
  SessionRows* rows_ = nullptr;
  std::unique_ptr<Sessions> sessions_;
};

TEST_F(SessionsTest, FindsWhoSignedIn) {
  const std::string id = *sessions_->create(person("ada"));
  EXPECT_EQ(id.size(), 43u);
  EXPECT_EQ(*sessions_->find(id), person("ada"));
}

TEST_F(SessionsTest, AcceptsOnlyTheWholeId) {
  const std::string id = *sessions_->create(person("ada"));
  for (std::size_t i = 0; i < id.size(); ++i) {
    std::string wrong = id;
    wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(holds(wrong)) << i;
    EXPECT_FALSE(holds(id.substr(0, i))) << i;
  }
  EXPECT_FALSE(holds(id + "A"));
  EXPECT_FALSE(holds(std::string(1 << 20, 'A')));
}

TEST_F(SessionsTest, KeepsOnlyAKeyedHash) {
  const std::string id = *sessions_->create(person("ada"));
  const auto rows = *rows_->of_user("https://login.example", "ada");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].id_hash.size(), 64u);
  EXPECT_NE(rows[0].id_hash, id);
  EXPECT_FALSE(holds(rows[0].id_hash.substr(0, 43)));

  auto stolen = memory_session_rows();
  ASSERT_TRUE(stolen->insert(rows[0]).ok());
  const auto other =
      *Sessions::open(std::move(stolen), std::string(32, 'x'), system_random_bytes, clock_);
  EXPECT_FALSE(other->find(id).ok());
}

TEST_F(SessionsTest, RefusesAShortKey) {
  EXPECT_FALSE(
      Sessions::open(memory_session_rows(), std::string(31, 'k'), system_random_bytes, clock_)
          .ok());
}

TEST_F(SessionsTest, IdsAreNew) {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(ids.insert(*sessions_->create(person("ada"))).second);
}

TEST_F(SessionsTest, ARefusedRandomSourceMakesNoSession) {
  const auto sessions = *Sessions::open(
      memory_session_rows(), std::string(32, 'k'),
      [](std::size_t) -> absl::StatusOr<std::string> { return base::internal("none"); }, clock_);
  EXPECT_FALSE(sessions->create(person("ada")).ok());
}

TEST_F(SessionsTest, EndsWhenIdle) {
  const std::string id = *sessions_->create(person("ada"));
  clock_.advance(kSessionIdleMax - seconds(1));
  EXPECT_TRUE(holds(id));
  clock_.advance(kSessionIdleMax - seconds(1));
  EXPECT_TRUE(holds(id));
  clock_.advance(kSessionIdleMax);
  EXPECT_FALSE(holds(id));
  EXPECT_EQ(*rows_->count(), 0u);
}

TEST_F(SessionsTest, EndsAfterTwelveHoursOfUse) {
  const std::string id = *sessions_->create(person("ada"));
  const seconds step{600};
  for (seconds used{0}; used + step < kSessionTimeMax; used += step) {
    clock_.advance(step);
    ASSERT_TRUE(holds(id)) << used.count();
  }
  clock_.advance(step);
  EXPECT_FALSE(holds(id));
}

TEST_F(SessionsTest, WritesItsUseOnceAMinute) {
  const std::string id = *sessions_->create(person("ada"));
  const auto used = [&] {
    return rows_->of_user("https://login.example", "ada")->front().used_unix_s;
  };
  const auto begin = used();
  clock_.advance(kSessionTouch - seconds(1));
  EXPECT_TRUE(holds(id));
  EXPECT_EQ(used(), begin);
  clock_.advance(seconds(1));
  EXPECT_TRUE(holds(id));
  EXPECT_EQ(used(), begin + kSessionTouch.count());
}

TEST_F(SessionsTest, RevokesOneOrAllOfAUser) {
  const std::string laptop = *sessions_->create(person("ada"));
  const std::string phone = *sessions_->create(person("ada"));
  const std::string tablet = *sessions_->create(person("ada"));
  const std::string other = *sessions_->create(person("bob"));
  ASSERT_TRUE(sessions_->revoke(laptop).ok());
  EXPECT_FALSE(holds(laptop));
  EXPECT_TRUE(holds(phone));
  ASSERT_TRUE(sessions_->revoke(laptop).ok());
  ASSERT_TRUE(sessions_->revoke("").ok());
  ASSERT_TRUE(sessions_->revoke_all("https://other.example", "ada").ok());
  EXPECT_TRUE(holds(phone));
  ASSERT_TRUE(sessions_->revoke_all("https://login.example", "ada").ok());
  EXPECT_FALSE(holds(phone));
  EXPECT_FALSE(holds(tablet));
  EXPECT_TRUE(holds(other));
}

TEST_F(SessionsTest, OneMoreOfAUserEndsTheLongestUnused) {
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < kSessionsPerUserMax; ++i) {
    ids.push_back(*sessions_->create(person("ada")));
    clock_.advance(kSessionTouch);
  }
  EXPECT_TRUE(holds(ids[0]));
  const std::string newest = *sessions_->create(person("ada"));
  EXPECT_FALSE(holds(ids[1]));
  EXPECT_TRUE(holds(ids[0]));
  EXPECT_TRUE(holds(ids[2]));
  EXPECT_TRUE(holds(newest));
}

// As many as fit already, without the time to make them.
class CountedRows final : public SessionRows {
 public:
  explicit CountedRows(std::size_t live, std::size_t ended) : live_(live), ended_(ended) {}
  absl::Status insert(const SessionRow&) override { return absl::OkStatus(); }
  absl::StatusOr<SessionRow> find(const std::string&) override { return base::not_found("none"); }
  absl::Status touch(const std::string&, std::int64_t) override { return absl::OkStatus(); }
  absl::Status erase(const std::string&) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<SessionRow>> of_user(const std::string&, const std::string&) override {
    return std::vector<SessionRow>();
  }
  absl::Status erase_ended(std::int64_t, std::int64_t) override {
    ended_ = 0;
    return absl::OkStatus();
  }
  absl::StatusOr<std::size_t> count() override { return live_ + ended_; }

 private:
  std::size_t live_;
  std::size_t ended_;
};

TEST_F(SessionsTest, TheirNumberIsBounded) {
  const auto create = [&](std::size_t live, std::size_t ended) {
    const auto sessions = *Sessions::open(std::make_unique<CountedRows>(live, ended),
                                          std::string(32, 'k'), system_random_bytes, clock_);
    return sessions->create(person("ada")).status().code();
  };
  EXPECT_EQ(create(kSessionsMax - 1, 0), absl::StatusCode::kOk);
  EXPECT_EQ(create(kSessionsMax - 1, 1), absl::StatusCode::kOk);
  EXPECT_EQ(create(kSessionsMax, 0), absl::StatusCode::kResourceExhausted);
}

TEST_F(SessionsTest, EndedRowsAreErased) {
  ASSERT_TRUE(rows_->insert({"idle", person("a"), 100, 100}).ok());
  ASSERT_TRUE(rows_->insert({"old", person("b"), 50, 300}).ok());
  ASSERT_TRUE(rows_->insert({"live", person("c"), 100, 101}).ok());
  ASSERT_TRUE(rows_->erase_ended(100, 50).ok());
  EXPECT_EQ(*rows_->count(), 1u);
  EXPECT_TRUE(rows_->find("live").ok());
}

}  // namespace
}  // namespace plinth::governance
