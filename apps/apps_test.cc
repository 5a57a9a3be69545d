#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "apps/bench_load.h"
#include "apps/listen_address.h"
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

TEST(BenchLoad, SchedulesAPoissonProcess) {
  const auto times = poisson_schedule(7, 50, 20000);
  EXPECT_EQ(times, poisson_schedule(7, 50, 20000));
  EXPECT_NE(times, poisson_schedule(8, 50, 20000));
  ASSERT_EQ(times.size(), 20000u);
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  EXPECT_NEAR(times.back() / 20000, 1.0 / 50, 0.001);
  // The gaps of a Poisson process deviate as much as they are long.
  double squares = 0;
  for (std::size_t i = 1; i < times.size(); ++i) {
    const double gap = times[i] - times[i - 1] - 0.02;
    squares += gap * gap;
  }
  EXPECT_NEAR(std::sqrt(squares / 20000), 0.02, 0.001);
}

TEST(BenchLoad, TakesTheNearestRank) {
  std::vector<double> values;
  for (int i = 100; i > 0; --i) values.push_back(i);
  const auto p = percentiles(values);
  EXPECT_EQ(p.p50, 50);
  EXPECT_EQ(p.p95, 95);
  EXPECT_EQ(p.p99, 99);
  EXPECT_EQ(p.max, 100);
  EXPECT_EQ(percentiles({3}).p99, 3);
  EXPECT_EQ(percentiles({}).p50, 0);
}

TEST(BenchLoad, PromptsDifferBySeed) {
  EXPECT_EQ(synthetic_prompt(1, 10), synthetic_prompt(1, 10));
  EXPECT_NE(synthetic_prompt(1, 10), synthetic_prompt(2, 10));
}

TEST(Terminal, WritesBytesForPeople) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(98362432), "93.8 MiB");
  EXPECT_EQ(human_bytes(3ull << 40), "3.0 TiB");
}

}  // namespace
}  // namespace plinth
