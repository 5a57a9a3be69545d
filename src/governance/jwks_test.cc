#include "governance/jwks.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

#include "base/json.h"
#include "governance/sign_in_limits.h"
#include "governance/testing/test_keys.h"

namespace plinth::governance {
namespace {

std::string key_set(const base::json::array& keys) { return base::to_json({{"keys", keys}}); }

std::size_t usable(const base::json::object& jwk) {
  const auto set = JwkSet::parse(key_set({jwk}));
  EXPECT_TRUE(set.ok()) << set.status();
  return set.ok() ? set->size() : 99;
}

template <typename T>
base::json::object changed(base::json::object jwk, std::string_view name, const T& value) {
  jwk[name] = value;
  return jwk;
}

TEST(JwkSet, FindsKeysById) {
  const auto set = JwkSet::parse(key_set({rsa_key().jwk("a"), ec_key().jwk("b")}));
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->find("a")->algorithm(), JwtAlgorithm::rs256);
  EXPECT_EQ(set->find("b")->algorithm(), JwtAlgorithm::es256);
  EXPECT_TRUE(set->find("b")->verifies("text", ec_key().signature("text")));
  EXPECT_TRUE(set->find("a")->verifies("text", rsa_key().signature("text")));
  EXPECT_EQ(set->find("c"), nullptr);
  EXPECT_EQ(set->find(""), nullptr);
}

TEST(JwkSet, ATokenWithoutKeyIdMeansTheOnlyKey) {
  const auto set = JwkSet::parse(key_set({ec_key().jwk("b")}));
  ASSERT_TRUE(set.ok());
  EXPECT_NE(set->find(""), nullptr);
}

TEST(JwkSet, PassesOverWhatItDoesNotKnow) {
  const auto rsa = rsa_key().jwk("k");
  const auto ec = ec_key().jwk("k");
  EXPECT_EQ(usable(rsa), 1u);
  EXPECT_EQ(usable(changed(rsa, "use", "enc")), 0u);
  EXPECT_EQ(usable(changed(rsa, "alg", "RS512")), 0u);
  EXPECT_EQ(usable(changed(rsa, "alg", "RS256")), 1u);
  EXPECT_EQ(usable(changed(rsa, "key_ops", base::json::array{"encrypt"})), 0u);
  EXPECT_EQ(usable(changed(rsa, "key_ops", base::json::array{"verify"})), 1u);
  EXPECT_EQ(usable(changed(rsa, "kty", "OKP")), 0u);
  EXPECT_EQ(usable(changed(ec, "crv", "P-384")), 0u);
  EXPECT_EQ(usable(changed(ec, "alg", "RS256")), 0u);
  EXPECT_EQ(usable({{"kty", "oct"}, {"k", "c2VjcmV0"}, {"kid", "k"}, {"alg", "HS256"}}), 0u);
  EXPECT_EQ(usable({}), 0u);
  EXPECT_EQ(JwkSet::parse(key_set({1, nullptr, "key", rsa}))->size(), 1u);
}

TEST(JwkSet, PassesOverWeakAndBrokenKeys) {
  const auto rsa = rsa_key().jwk("k");
  const auto ec = ec_key().jwk("k");
  EXPECT_EQ(usable(TestKey::rsa(2048).jwk("k")), 1u);
  const std::string modulus = *base64url_bytes(std::string(rsa.at("n").as_string()));
  EXPECT_EQ(usable(changed(rsa, "n", base64url(modulus.substr(1)))), 0u);              // 2040 bits
  EXPECT_EQ(usable(changed(rsa, "n", base64url(modulus.substr(0, 255) + '\0'))), 0u);  // even
  EXPECT_EQ(usable(changed(rsa, "n", base64url(std::string(1025, '\xff')))), 0u);
  for (const auto& exponent : {std::string("\1"), std::string("\3"), std::string("\1\0\0", 3),
                               std::string("\1\0\2", 3), std::string(9, '\1'), std::string()}) {
    EXPECT_EQ(usable(changed(rsa, "e", base64url(exponent))), 0u);
  }
  EXPECT_EQ(usable(changed(rsa, "n", "not base64url!")), 0u);
  EXPECT_EQ(usable(changed(ec, "x", base64url(std::string(32, '\1')))), 0u);  // off the curve
  EXPECT_EQ(usable(changed(ec, "x", base64url(std::string(32, '\0')))), 0u);
  EXPECT_EQ(usable(changed(ec, "y", base64url(std::string(31, '\1')))), 0u);
  EXPECT_EQ(usable(changed(ec, "kid", std::string(300, 'k'))), 0u);
}

TEST(JwkSet, RefusesDuplicatesAndOversize) {
  EXPECT_FALSE(JwkSet::parse(key_set({rsa_key().jwk("a"), ec_key().jwk("a")})).ok());
  base::json::array many;
  for (std::size_t i = 0; i <= kJwksKeysMax; ++i) many.emplace_back(base::json::object{});
  EXPECT_FALSE(JwkSet::parse(key_set(many)).ok());
  const std::string pad(kJwksBytesMax, 'x');
  EXPECT_FALSE(JwkSet::parse(key_set({changed(ec_key().jwk("a"), "x5c", pad)})).ok());
  for (const char* text : {"", "[]", "{}", "null", R"({"keys":{}})", R"({"keys":[)"}) {
    EXPECT_FALSE(JwkSet::parse(text).ok()) << text;
  }
}

class JwksCacheTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::string> answer(const std::string& url) {
    ++fetches_;
    EXPECT_EQ(url, "https://login.example/keys");
    if (out_) return base::unavailable("connection refused");
    return body_;
  }
  std::string publish(std::initializer_list<std::string> ids) {
    base::json::array keys;
    for (const auto& id : ids) keys.push_back(ec_key().jwk(id));
    return body_ = key_set(keys);
  }

  base::FakeClock clock_;
  std::atomic<int> fetches_ = 0;
  bool out_ = false;
  std::string body_;
  JwksCache cache_{[] { return std::string("https://login.example/keys"); },
                   [this](const std::string& url) { return answer(url); }, clock_};
};

TEST_F(JwksCacheTest, AKnownKeyCostsNoFetch) {
  publish({"a"});
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(cache_.find("a").ok());
  EXPECT_EQ(fetches_, 1);
}

TEST_F(JwksCacheTest, FollowsARotation) {
  publish({"a"});
  ASSERT_TRUE(cache_.find("a").ok());
  clock_.advance(kProviderRefetchMin);
  publish({"b"});
  EXPECT_TRUE(cache_.find("a").ok());  // nothing has told us yet
  EXPECT_TRUE(cache_.find("b").ok());
  EXPECT_EQ(fetches_, 2);
  EXPECT_TRUE(absl::IsUnauthenticated(cache_.find("a").status()));  // withdrawn
}

TEST_F(JwksCacheTest, InventedKeyIdsFetchOncePerInterval) {
  publish({"a"});
  ASSERT_TRUE(cache_.find("a").ok());
  for (int second = 0; second < 300; ++second) {
    for (int i = 0; i < 10; ++i) {
      EXPECT_TRUE(absl::IsUnauthenticated(cache_.find(std::to_string(10 * second + i)).status()));
    }
    clock_.advance(std::chrono::seconds(1));
  }
  EXPECT_EQ(fetches_, 1 + 9);  // at 30 s, 60 s, ... 270 s
  EXPECT_TRUE(cache_.find("a").ok());
}

TEST_F(JwksCacheTest, AnOldSetIsRenewed) {
  publish({"a", "b"});
  ASSERT_TRUE(cache_.find("a").ok());
  publish({"b"});
  clock_.advance(kProviderRefresh - std::chrono::seconds(1));
  EXPECT_TRUE(cache_.find("a").ok());
  clock_.advance(std::chrono::seconds(1));
  EXPECT_FALSE(cache_.find("a").ok());
  EXPECT_TRUE(cache_.find("b").ok());
  EXPECT_EQ(fetches_, 2);
}

TEST_F(JwksCacheTest, KeysOutliveAShortOutage) {
  publish({"a"});
  ASSERT_TRUE(cache_.find("a").ok());
  out_ = true;
  clock_.advance(kProviderRefresh);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(cache_.find("a").ok());
  EXPECT_EQ(fetches_, 2);  // the outage does not turn requests into fetches
  EXPECT_TRUE(absl::IsUnavailable(cache_.find("new").status()));
  clock_.advance(kProviderOutageMax - kProviderRefresh - std::chrono::seconds(1));
  EXPECT_TRUE(cache_.find("a").ok());
  clock_.advance(std::chrono::seconds(1));
  EXPECT_TRUE(absl::IsUnavailable(cache_.find("a").status()));
  out_ = false;
  clock_.advance(kProviderRefetchMin);
  EXPECT_TRUE(cache_.find("a").ok());
}

TEST_F(JwksCacheTest, ABrokenAnswerDoesNotReplaceTheKeys) {
  publish({"a"});
  ASSERT_TRUE(cache_.find("a").ok());
  body_ = "<html>maintenance</html>";
  clock_.advance(kProviderRefresh);
  EXPECT_TRUE(cache_.find("a").ok());
}

TEST_F(JwksCacheTest, AProviderThatWasOutAtFirstIsAskedAgainLater) {
  publish({"a"});
  out_ = true;
  EXPECT_TRUE(absl::IsUnavailable(cache_.find("a").status()));
  out_ = false;
  EXPECT_TRUE(absl::IsUnavailable(cache_.find("a").status()));
  EXPECT_EQ(fetches_, 1);
  clock_.advance(kProviderRefetchMin);
  EXPECT_TRUE(cache_.find("a").ok());
}

TEST(JwksCache, ConcurrentMissesFetchOnce) {
  constexpr int kThreads = 8;
  base::FakeClock clock;
  std::atomic<int> fetches = 0;
  std::latch all_here(kThreads);
  std::latch fetch_began(1);
  std::latch may_answer(1);
  const std::string body = key_set({ec_key().jwk("a")});
  JwksCache cache([] { return std::string("https://login.example/keys"); },
                  [&](const std::string&) -> absl::StatusOr<std::string> {
                    ++fetches;
                    fetch_began.count_down();
                    may_answer.wait();
                    return body;
                  },
                  clock);
  std::atomic<int> found = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      all_here.arrive_and_wait();
      found += cache.find("a").ok() ? 1 : 0;
    });
  }
  fetch_began.wait();
  may_answer.count_down();
  threads.clear();
  EXPECT_EQ(found, kThreads);
  EXPECT_EQ(fetches, 1);
}

// A slow provider holds up only who needs its answer.
TEST(JwksCache, KnownKeysDoNotWaitForARefresh) {
  base::FakeClock clock;
  std::latch fetch_began(1);
  std::latch may_answer(1);
  std::atomic<bool> slow = false;
  const std::string body = key_set({ec_key().jwk("a")});
  JwksCache cache([] { return std::string("https://login.example/keys"); },
                  [&](const std::string&) -> absl::StatusOr<std::string> {
                    if (slow) {
                      fetch_began.count_down();
                      may_answer.wait();
                    }
                    return body;
                  },
                  clock);
  ASSERT_TRUE(cache.find("a").ok());
  clock.advance(kProviderRefresh);
  slow = true;
  std::jthread renewing([&] { EXPECT_TRUE(cache.find("a").ok()); });
  fetch_began.wait();
  EXPECT_TRUE(cache.find("a").ok());
  may_answer.count_down();
}

}  // namespace
}  // namespace plinth::governance
