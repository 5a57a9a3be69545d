#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "apps/listen_address.h"
#include "apps/logit_scores.h"
#include "apps/service_connection.h"
#include "apps/terminal.h"

namespace plinth {
namespace {

TEST(ListenAddress, ReadsWhatPeopleWrite) {
  const auto four = parse_listen("127.0.0.1:8080", false);
  ASSERT_TRUE(four.ok());
  EXPECT_EQ(four->url(9), "http://127.0.0.1:9");
  const auto six = parse_listen("[::1]:0", false);
  ASSERT_TRUE(six.ok());
  EXPECT_EQ(six->address, "::1");
  EXPECT_EQ(six->url(9), "http://[::1]:9");
  EXPECT_EQ(parse_listen("localhost:1", false)->address, "127.0.0.1");
  for (const char* wrong : {"", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000",
                            "127.0.0.1:8x", "example.org:80", "127.0.0.1:-1"}) {
    EXPECT_EQ(parse_listen(wrong, true).status().code(), absl::StatusCode::kInvalidArgument)
        << wrong;
  }
}

TEST(ListenAddress, BeyondThisMachineOnlyByName) {
  for (const char* open : {"0.0.0.0:80", "[::]:80", "192.168.1.2:80"}) {
    const auto refused = parse_listen(open, false).status();
    EXPECT_NE(base::message(refused).find("--allow-plaintext"), std::string_view::npos) << open;
    EXPECT_TRUE(parse_listen(open, true).ok()) << open;
  }
  EXPECT_EQ(parse_listen("0.0.0.0:80", true)->url(80), "http://127.0.0.1:80");
}

TEST(ServiceConnection, KnowsLoopback) {
  EXPECT_TRUE(is_this_machine("http://127.0.0.1:80"));
  EXPECT_TRUE(is_this_machine("http://[::1]:80/v1"));
  EXPECT_TRUE(is_this_machine("http://localhost:80"));
  EXPECT_FALSE(is_this_machine("https://models.example.org/127.0.0.1"));
}

// By hand: of logits log(1), log(3) the second token has 3/4.
TEST(LogitScores, PerplexityIsTheInverseOfTheMeanProbability) {
  const float even[] = {5, 5};
  const float skewed[] = {0, std::log(3.0f)};
  LikelihoodSum sum;
  EXPECT_EQ(sum.perplexity(), 0);
  sum.add(even, 0);
  EXPECT_NEAR(sum.perplexity(), 2, 1e-6);
  EXPECT_EQ(sum.perplexity_error(), 0);
  sum.add(skewed, 1);
  EXPECT_NEAR(sum.perplexity(), std::sqrt(2.0 * 4 / 3), 1e-6);
  // Half the difference of the two losses is the standard error of their mean.
  EXPECT_NEAR(sum.perplexity_error(), sum.perplexity() * std::log(2.0 * 3 / 4) / 2, 1e-6);
}

TEST(LogitScores, DivergenceIsTheReferencesExpectation) {
  const float even[] = {0, 0};
  const float skewed[] = {1000, 1000 + std::log(3.0f)};
  DivergenceSum same, apart;
  same.add(skewed, skewed);
  EXPECT_EQ(same.mean(), 0);
  apart.add(even, skewed);
  EXPECT_NEAR(apart.mean(), 0.5 * std::log(2.0) + 0.5 * std::log(2.0 / 3), 1e-4);
  EXPECT_EQ(apart.same_top(), 0);
  apart.add(skewed, skewed);
  EXPECT_EQ(apart.same_top(), 0.5);
}

TEST(Terminal, WritesBytesForPeople) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(98362432), "93.8 MiB");
  EXPECT_EQ(human_bytes(3ull << 40), "3.0 TiB");
}

}  // namespace
}  // namespace plinth
